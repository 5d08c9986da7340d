import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { witnessKeyOf, witnessVerifierKey } from '../../../schemas/verify/cosignature.ts'
import { noteKeyOf, verifierKey } from '../../../schemas/verify/note.ts'
import { parseTrustPolicy, quorumMet } from '../../../schemas/verify/trust-policy.ts'

const spki = (): Buffer => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })
const witness = (name: string): string => witnessVerifierKey(witnessKeyOf(nodeTools, name, spki()))
const parse = (text: string) => parseTrustPolicy(nodeTools, text, 'trust.policy')

function logKey(): string {
  const key = noteKeyOf(nodeTools, 'example.com/log', spki())
  assert.ok(key)
  return verifierKey(key)
}

test('the example of the specification, with a timestamp authority and an anchor in its groups', () => {
  const policy = parse(`
# two organisations
log ${logKey()} https://log.example/
witness X1 ${witness('x.example/1')}
witness X2 ${witness('x.example/2')}  https://x.example/
witness\tX3 ${witness('x.example/3')}
group X-witnesses 2 X1 X2 X3

timestamp tsa ca.pem
anchor worm https://other.example/anchor
group other any tsa worm
group both all X-witnesses other
quorum both
`)
  assert.equal(policy.logs[0]?.name, 'example.com/log')
  assert.deepEqual(
    policy.attesters.map(({ name, kind }) => `${kind} ${name}`),
    ['witness X1', 'witness X2', 'witness X3', 'timestamp tsa', 'anchor worm'],
  )
  const met = (...names: string[]): boolean => quorumMet(policy, new Set(names))
  assert.deepEqual(
    [met(), met('X1', 'tsa'), met('X1', 'X3'), met('X1', 'X3', 'worm'), met('X2', 'X3', 'tsa', 'worm'), met('both ')],
    [false, false, false, true, true, false],
  )
})

test('a quorum of one, and of none', () => {
  const one = parse(`witness w ${witness('w.example/w')}\nquorum w\n`)
  assert.deepEqual([quorumMet(one, new Set()), quorumMet(one, new Set(['w']))], [false, true])
  assert.equal(quorumMet(parse('quorum none'), new Set()), true)
})

test('every mistake is told at once, by line', () => {
  const key = witness('w.example/w')
  const other = witness('w.example/w2')
  assert.throws(
    () =>
      parse(
        [
          'witness none x', // 1
          `witness a ${key}`,
          `witness a ${other}`, // 3
          `witness b ${key}`, // 4
          'group g 3 a b', // 5
          'group h all a unknown', // 6
          'group i any a', // 7: a is in h already
          'quorum nobody', // 8
          'quorum none',
          'quorum a', // 10
          'frobnicate', // 11
          'timestamp t', // 12
          'witness c not-a-key', // 13
          'log \u0007', // 14
        ].join('\n'),
      ),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      const lines = [...error.message.matchAll(/^trust\.policy:(\d+):/gm)].map(([, line]) => Number(line))
      assert.deepEqual(lines, [1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14])
      return true
    },
  )
  // What builds on a line with a mistake is not another one.
  assert.throws(
    () => parse('witness w not-a-key\ngroup g any w\nquorum g\n'),
    ({ message }: Error) => message.split('\n').length === 1 && message.startsWith('trust.policy:1:'),
  )
  assert.throws(
    () => parse('quorum w\n'),
    ({ message }: Error) => message === 'trust.policy:1: w is not defined above',
  )
  assert.throws(() => parse('# nothing'), /there is no quorum line/)
  assert.throws(() => parse('#\n'.repeat(2000)), /larger than a trust policy/)
})
