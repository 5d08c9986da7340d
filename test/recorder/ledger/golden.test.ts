import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Compile } from 'typebox/compile'
import { nodeTools } from '../../../recorder/index.ts'
import { LedgerStatement } from '../../../schemas/ledger.ts'
import { noteKeysOf } from '../../../schemas/verify/note.ts'
import { checkProof, parseProof } from '../../../schemas/verify/tlog-proof.ts'
import { verifyLedger } from '../../../schemas/verify/verify-ledger.ts'
import { goldenLedger } from '../../support/ledger.ts'
import { EVERY_KIND } from '../../support/ledger-kinds.ts'

const GOLDEN = fileURLToPath(new URL('../../vectors/ledger/', import.meta.url))
const { store: golden, gatewayKeys } = goldenLedger('ledger')

test('the golden ledger of version 1 is read for ever: entries, a torn line, checkpoints, sessions', async () => {
  const read = await verifyLedger({ source: golden, tools: nodeTools }, { gatewayKeys }, { nowMs: Date.parse('2027-01-01') })
  assert.ok(read)
  const { result, facts } = read
  assert.deepEqual([result.verdict, result.problems], ['VALID', []])
  assert.deepEqual([result.origin, result.size, result.malformed, result.checkpoints], ['log.example/golden', 9, 1, 2])
  assert.equal(result.root, result.checkpoint?.root)
  const sessions = [...facts.sessions.values()].map(({ close, recover, deleted }) => [
    close?.frames,
    recover?.outcome,
    deleted?.rule,
  ])
  assert.deepEqual(sessions, [
    [5, undefined, 'after-90-days'],
    [undefined, undefined, undefined],
    [undefined, 'absent', undefined],
  ])
})

test('its root is that of RFC 6962 over its lines, worked out by hand', () => {
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
  const lines = readFileSync(join(GOLDEN, 'seq/0000'), 'utf8').split('\n').slice(0, -1)
  const root = (from: number, to: number): Buffer => {
    if (to - from === 1) return sha256(Buffer.of(0), Buffer.from(lines[from] ?? ''))
    const split = from + 2 ** Math.ceil(Math.log2(to - from) - 1)
    return sha256(Buffer.of(1), root(from, split), root(split, to))
  }
  const note = readFileSync(join(GOLDEN, 'checkpoint/009'), 'utf8').split('\n')
  assert.deepEqual(note.slice(0, 3), ['log.example/golden', String(lines.length), root(0, lines.length).toString('base64')])
})

test('the golden proof is that a session was opened', async () => {
  const proof = parseProof(readFileSync(join(GOLDEN, 'session.tlog-proof')))
  const checked = await checkProof(nodeTools, proof, (origin) => noteKeysOf(nodeTools, origin, gatewayKeys))
  assert.deepEqual([checked.index, checked.checkpoint.size], [2, 9])
  assert.equal(JSON.parse(Buffer.from(checked.entry).toString())[0].session, '20261120T120000Z-gw1-00000002')
})

test('entries of every kind, written once and for all, are still what the schema says, and no kind was dropped or renamed', () => {
  const checker = Compile(LedgerStatement)
  const { store } = goldenLedger('ledger-kinds')
  const lines = store.objects.get('ledger/seq/0000')?.toString().trimEnd().split('\n') ?? []
  const statements: readonly { readonly type: string }[] = lines.map((line) => JSON.parse(line)[0])
  for (const statement of statements) assert.ok(checker.Check(statement), JSON.stringify(statement))
  const now = new Set(EVERY_KIND.map(({ type }) => type as string))
  assert.deepEqual(
    statements.filter(({ type }) => !now.has(type)),
    [],
  )
  assert.equal(statements.length, 37)
})
