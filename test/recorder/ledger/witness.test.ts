import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Witness } from '../../../recorder/ledger/witness.ts'
import { sha256 } from '../../../recorder/tape/merkle.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { cosignedAt } from '../../../schemas/verify/cosignature.ts'
import { checkpointText, noteKeyOf, parseNote, signatureLine } from '../../../schemas/verify/note.ts'
import { consistencyProof, leafHash, type NodeAt, nodeHash, rootAt } from '../../../schemas/verify/tree.ts'
import { makeSigner } from '../../support/ledger.ts'
import { testWitness } from '../../support/witness.ts'

const ORIGIN = 'example.com/ledger'

/** A log of its own leaves, which says what a log says to a witness. */
function testLog(seed = 'leaf') {
  const signer = makeSigner()
  const key = noteKeyOf(nodeTools, ORIGIN, signer.publicKey)
  assert.ok(key)
  const node: NodeAt = async (level, index) =>
    level === 0
      ? leafHash(sha256, Buffer.from(`${index < 4 ? 'leaf' : seed} ${index}`))
      : nodeHash(sha256, await node(level - 1, index * 2), await node(level - 1, index * 2 + 1))
  const note = async (size: number, by = signer): Promise<string> => {
    const text = checkpointText(ORIGIN, size, await rootAt(sha256, node, size))
    return `${text}\n${signatureLine(key, await by.sign(Buffer.from(text)))}`
  }
  const request = async (old: number, size: number, by = signer): Promise<Buffer> => {
    const proof = await consistencyProof(sha256, node, old, size)
    const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('')
    return Buffer.from(`old ${old}\n${lines}\n${await note(size, by)}`)
  }
  return { key, note, request }
}

async function post(url: string, body: Uint8Array, path = '/add-checkpoint', method = 'POST') {
  const answer = await fetch(url + path, { method, ...(method === 'POST' ? { body: Buffer.from(body) } : {}) })
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}

test('a log that only grows is cosigned at every size, and the cosignature is on its checkpoint', async () => {
  const log = testLog()
  await using served = await testWitness([log.key])
  let old = 0
  for (const size of [1, 2, 7, 7, 8, 300]) {
    const { status, text } = await post(served.url, await log.request(old, size))
    assert.equal(status, 200, text)
    const timeS = await cosignedAt(nodeTools, parseNote(Buffer.from((await log.note(size)) + text)), served.witness.key)
    assert.ok(timeS !== undefined && Math.abs(timeS * 1000 - Date.now()) < 60_000)
    old = size
  }
})

test('a fork, a rollback and another tree of the same size are refused, and the old view stays', async () => {
  const log = testLog()
  const fork = testLog('fork')
  await using served = await testWitness([log.key, fork.key])
  assert.equal((await post(served.url, await log.request(0, 7))).status, 200)
  assert.equal((await post(served.url, await fork.request(7, 9))).status, 422)
  assert.deepEqual(await post(served.url, await fork.request(7, 7)), { status: 409, type: 'text/x.tlog.size', text: '7\n' })
  assert.deepEqual(await post(served.url, await log.request(0, 5)), { status: 409, type: 'text/x.tlog.size', text: '7\n' })
  assert.equal((await post(served.url, Buffer.from(`old 7\n\n${await log.note(5)}`))).status, 400)
  assert.equal((await post(served.url, await log.request(7, 9))).status, 200)
})

test('unknown logs, strangers’ signatures and malformed requests get the answers of the specification', async () => {
  const log = testLog()
  await using served = await testWitness([log.key])
  await using elsewhere = await testWitness([])
  assert.equal((await post(elsewhere.url, await log.request(0, 3))).status, 404)
  assert.equal((await post(served.url, await log.request(0, 3, makeSigner()))).status, 403)
  assert.equal((await post(served.url, Buffer.from(`old 4\n\n${await log.note(3)}`))).status, 400)
  for (const body of [
    '',
    'old 0\n',
    'old 00\n\n',
    'old 0\n\nnot a note',
    'old -1\n\n\n',
    `old 0\nnot base64!\n\n${await log.note(3)}`,
  ])
    assert.equal((await post(served.url, Buffer.from(body))).status, 400, JSON.stringify(body))
  const long = `old 0\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\n${await log.note(3)}`
  assert.equal((await post(served.url, Buffer.from(long))).status, 400)
  assert.equal((await post(served.url, Buffer.alloc(1 << 20, 0x61))).status, 413)
  assert.equal((await post(served.url, Buffer.alloc(0), '/')).status, 404)
  assert.equal((await post(served.url, Buffer.alloc(0), '/add-checkpoint', 'GET')).status, 405)
  assert.equal((await post(served.url, await log.request(0, 3))).status, 200)
})

test('two who ask at the same moment cannot both extend the same view', async () => {
  const log = testLog()
  const fork = testLog('fork')
  await using served = await testWitness([log.key, fork.key])
  assert.equal((await post(served.url, await log.request(0, 5))).status, 200)
  const answers = await Promise.all([
    ...Array.from({ length: 8 }, async (_, index) => post(served.url, await log.request(5, 10 + index))),
  ])
  const signed = answers.filter(({ status }) => status === 200)
  assert.equal(signed.length, 1)
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 409])
})

test('a witness started again has its key and its view; one without its view has no key either', async () => {
  const log = testLog()
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-witness-'))
  try {
    const options = { folder, name: 'audit.example/w1', logs: [log.key] }
    const first = await Witness.open(options)
    assert.equal((await first.addCheckpoint(await log.request(0, 7))).status, 200)
    const again = await Witness.open(options)
    assert.equal(again.key.keyId, first.key.keyId)
    assert.equal((await again.addCheckpoint(await log.request(0, 9))).body, '7\n')
    const key = join(folder, 'witness.key')
    assert.match(await readFile(key, 'utf8'), /PRIVATE KEY/)
    await writeFile(key, 'no key')
    await assert.rejects(Witness.open(options), { code: 'CONFIG_INVALID' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
