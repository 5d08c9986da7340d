import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { openTape } from '../../../recorder/tape/reader.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { MemoryStore } from '../../support/memory-store.ts'

interface Vector {
  readonly id: string
  readonly gateway: string
  readonly publicKey: string
  readonly root: string
  readonly objects: Readonly<Record<string, string>>
  readonly frames: readonly unknown[]
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

test('the golden tape of version 1 still verifies, and still says the same', async () => {
  const path = new URL('../../vectors/tape/v1/tape.json', import.meta.url)
  const vector = JSON.parse(await readFile(path, 'utf8')) as Vector
  const store = new MemoryStore()
  for (const [key, bytes] of Object.entries(vector.objects)) store.objects.set(key, Buffer.from(bytes, 'base64'))
  const gatewayKeys = [{ gateway: vector.gateway, publicKey: Buffer.from(vector.publicKey, 'base64') }]
  const result = await verifyTape(store, vector.id, { gatewayKeys })
  assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
  assert.equal(result.root, vector.root)
  const frames: unknown[] = []
  for await (const frame of (await openTape(store, vector.id)).frames()) {
    const masks = frame.masks && { labels: frame.masks.labels, spans: base64(frame.masks.spans) }
    frames.push({ ...frame, body: frame.body && base64(frame.body), masks })
  }
  assert.deepEqual(JSON.parse(JSON.stringify(frames)), vector.frames)
})
