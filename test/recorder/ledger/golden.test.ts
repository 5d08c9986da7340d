import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeTools, parseGatewayKeys } from '../../../recorder/index.ts'
import { noteKeysOf } from '../../../schemas/verify/note.ts'
import { checkProof, parseProof } from '../../../schemas/verify/tlog-proof.ts'
import { verifyLedger } from '../../../schemas/verify/verify-ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const GOLDEN = fileURLToPath(new URL('../../vectors/ledger/', import.meta.url))
const gatewayKeys = parseGatewayKeys(readFileSync(join(GOLDEN, 'gateway.pub'), 'utf8'))

function golden(): MemoryStore {
  const store = new MemoryStore()
  for (const name of readdirSync(GOLDEN, { recursive: true, encoding: 'utf8' }))
    if (statSync(join(GOLDEN, name)).isFile()) store.objects.set(`ledger/${name}`, readFileSync(join(GOLDEN, name)))
  return store
}

test('the golden ledger of version 1 is read for ever: entries, a torn line, checkpoints, sessions', async () => {
  const read = await verifyLedger({ source: golden(), tools: nodeTools }, { gatewayKeys }, { nowMs: Date.parse('2027-01-01') })
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
