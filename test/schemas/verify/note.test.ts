import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import {
  checkpointText,
  derEcdsa,
  noteKeyOf,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signatureLine,
  signersOf,
  verifierKey,
} from '../../../schemas/verify/note.ts'
import GO from '../../vectors/signed-note.json' with { type: 'json' }

const { key: GO_KEY, note: GO_NOTE } = GO

test('a note signed by another implementation is verified, and only as it is', async () => {
  const key = parseVerifierKey(nodeTools, GO_KEY)
  assert.equal(verifierKey(key), GO_KEY)
  const note = parseNote(Buffer.from(GO_NOTE))
  assert.deepEqual(await signersOf(nodeTools, note, [key]), [key])
  const changed = parseNote(Buffer.from(GO_NOTE.replace('answer', 'cause')))
  assert.equal(await signersOf(nodeTools, changed, [key]), false)
  assert.deepEqual(await signersOf(nodeTools, note, []), [])
})

for (const [algorithm, keys] of [
  ['Ed25519', generateKeyPairSync('ed25519')],
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
] as const) {
  test(`checkpoints are signed and read with ${algorithm}`, async () => {
    const publicKey = keys.publicKey.export({ format: 'der', type: 'spki' })
    const key = noteKeyOf(nodeTools, 'log.example/ledger', publicKey)
    assert.ok(key)
    assert.equal(key.algorithm, algorithm)
    assert.equal(verifierKey(parseVerifierKey(nodeTools, verifierKey(key))), verifierKey(key))
    const root = nodeTools.sha256(Buffer.from('x'))
    const text = checkpointText('log.example/ledger', 7, root)
    for (let round = 0; round < 20; round += 1) {
      const raw =
        algorithm === 'Ed25519'
          ? sign(null, Buffer.from(text), keys.privateKey)
          : sign('sha256', Buffer.from(text), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' })
      const note = `${text}\n${signatureLine(key, algorithm === 'ES256' ? derEcdsa(raw) : raw)}`
      const checkpoint = parseCheckpoint(Buffer.from(note))
      assert.deepEqual(
        [checkpoint.origin, checkpoint.size, Buffer.from(checkpoint.root)],
        ['log.example/ledger', 7, Buffer.from(root)],
      )
      assert.deepEqual(await signersOf(nodeTools, checkpoint.note, [key]), [key])
    }
  })
}

test('what is no note, no checkpoint and no key is refused', () => {
  const line = GO_NOTE.slice(GO_NOTE.indexOf('—'))
  const hash = Buffer.alloc(32).toString('base64')
  for (const text of [
    '',
    'a\n',
    'a\n\n',
    `a\u0001\n\n${line}`,
    `a\n\n${line.slice(0, -1)}`,
    `a\n\n— x+y ${hash}\n`,
    'a\n\n— x AAAA\n',
    `a\n\n${line.repeat(33)}`,
    `${'a'.repeat(1 << 17)}\n\n${line}`,
  ])
    assert.throws(() => parseNote(Buffer.from(text)), { code: 'LEDGER_MALFORMED' }, JSON.stringify(text.slice(0, 40)))
  assert.throws(() => parseNote(Buffer.of(0xff, 0x0a, 0x0a)), { code: 'LEDGER_MALFORMED' })
  for (const text of [
    `\n1\n${hash}\n`,
    `o\n01\n${hash}\n`,
    `o\n-1\n${hash}\n`,
    'o\n1\nAAAA\n',
    `o\n99999999999999999\n${hash}\n`,
  ])
    assert.throws(() => parseCheckpoint(Buffer.from(`${text}\n${line}`)), { code: 'LEDGER_MALFORMED' }, JSON.stringify(text))
  for (const text of ['', 'a+b+c', GO_KEY.replace('c74f20a3', 'c74f20a4'), `PeterNeumann+c74f20a3+${hash}`])
    assert.throws(() => parseVerifierKey(nodeTools, text), { code: 'LEDGER_MALFORMED' }, text)
})
