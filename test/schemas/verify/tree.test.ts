import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TileTree } from '../../../recorder/ledger/tile-tree.ts'
import { sha256 } from '../../../recorder/tape/merkle.ts'
import { hexOf } from '../../../schemas/bytes.ts'
import { ledgerKeys, tileNumber, tileNumberOf } from '../../../schemas/verify/ledger-line.ts'
import { MerkleStack } from '../../../schemas/verify/merkle.ts'
import {
  consistencyProof,
  inclusionProof,
  isConsistent,
  leafHash,
  rootAt,
  rootFromInclusion,
} from '../../../schemas/verify/tree.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const SIZES = 68
const leaves = Array.from({ length: SIZES }, (_, index) => Buffer.from(`leaf ${index}`))

/** RFC 6962 section 2.1, as it is written there: the second opinion. */
function treeHash(from: number, to: number): Buffer {
  if (to === from) return sha256(new Uint8Array(0))
  if (to - from === 1) return Buffer.from(leafHash(sha256, leaves[from] ?? Buffer.alloc(0)))
  let split = 1
  while (split * 2 < to - from) split *= 2
  return sha256(Buffer.concat([Buffer.of(1), treeHash(from, from + split), treeHash(from + split, to)]))
}

const node = async (level: number, index: number): Promise<Uint8Array> => treeHash(index * 2 ** level, (index + 1) * 2 ** level)

test('the root of every small tree is that of RFC 6962', async () => {
  const stack = new MerkleStack(sha256)
  for (let size = 0; size <= SIZES; size += 1) {
    assert.deepEqual(Buffer.from(stack.root()), treeHash(0, size))
    assert.deepEqual(Buffer.from(await rootAt(sha256, node, size)), treeHash(0, size))
    stack.push(leaves[size] ?? Buffer.alloc(0))
  }
})

test('every leaf of every small tree is proved to be in it, and in no other and nowhere else', async () => {
  for (let size = 1; size <= SIZES; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const proof = await inclusionProof(sha256, node, index, size)
      const leaf = leafHash(sha256, leaves[index] ?? Buffer.alloc(0))
      const root = treeHash(0, size)
      assert.deepEqual(Buffer.from(rootFromInclusion(sha256, leaf, index, size, proof) ?? []), root)
      const elsewhere = rootFromInclusion(sha256, leaf, (index + 1) % size, size, proof)
      if (size > 1) assert.notDeepEqual(Buffer.from(elsewhere ?? []), root)
      assert.equal(rootFromInclusion(sha256, leaf, index, size, [...proof, root]), undefined)
    }
  }
  await assert.rejects(inclusionProof(sha256, node, 5, 5), { code: 'LEDGER_MALFORMED' })
})

test('every small tree is proved to go on from every smaller one, and from no other', async () => {
  for (let size = 1; size <= SIZES; size += 1) {
    for (let before = 1; before <= size; before += 1) {
      const proof = await consistencyProof(sha256, node, before, size)
      const [old, now] = [
        { size: before, root: treeHash(0, before) },
        { size, root: treeHash(0, size) },
      ]
      assert.ok(isConsistent(sha256, old, now, proof), `${before} to ${size}`)
      const fork = { size: before, root: sha256(Buffer.from('fork')) }
      assert.ok(!isConsistent(sha256, fork, now, proof), `fork at ${before} of ${size}`)
      if (proof.length > 0) assert.ok(!isConsistent(sha256, old, now, proof.slice(1)))
    }
  }
})

test('tiles and bundles are those of tlog-tiles: full ones once, partial ones of the present size, nodes read from them', async () => {
  const store = new MemoryStore()
  const tree = new TileTree()
  const stack = new MerkleStack(sha256)
  const size = 70_000
  for (let index = 0; index < size; index += 1) {
    const line = Buffer.from(`entry ${index}`)
    tree.push(line)
    stack.push(line)
  }
  const full = tree.full
  // The specification's own example, of this size.
  assert.equal(full.filter(({ key }) => key.startsWith('ledger/tile/0/')).length, 273)
  assert.equal(full.filter(({ key }) => key.startsWith('ledger/tile/1/')).length, 1)
  assert.equal(full.filter(({ key }) => key.startsWith('ledger/tile/entries/')).length, 273)
  assert.deepEqual(
    tree.partial(true).map(({ key }) => key),
    ['ledger/tile/0/273.p/112', 'ledger/tile/1/001.p/17', 'ledger/tile/2/000.p/1', 'ledger/tile/entries/273.p/112'],
  )
  assert.ok(full.every(({ key, bytes }) => key.includes('entries') || bytes.length === 8192))
  const bundle = full.find(({ key }) => key === ledgerKeys.entries(1))?.bytes ?? Buffer.alloc(0)
  assert.equal(Buffer.from(bundle).readUInt16BE(0), 'entry 256'.length)
  assert.equal(Buffer.from(bundle.subarray(2, 11)).toString(), 'entry 256')
  for (const { key, bytes } of full) await store.put(key, bytes)
  tree.stored(size)
  assert.equal(tree.full.length, 0)
  const at = (level: number, index: number): Promise<Uint8Array> => tree.node(store, level, index)
  assert.equal(hexOf(await rootAt(sha256, at, size)), hexOf(stack.root()))
  const proof = await inclusionProof(sha256, at, 69_999, size)
  assert.deepEqual(
    Buffer.from(rootFromInclusion(sha256, leafHash(sha256, Buffer.from('entry 69999')), 69_999, size, proof) ?? []),
    Buffer.from(stack.root()),
  )
})

test('tile numbers are paths of three digits', () => {
  assert.equal(tileNumber(1_234_067), 'x001/x234/067')
  assert.equal(tileNumber(5), '005')
  for (const number of [0, 1, 999, 1000, 1_000_000, 1_234_067, 2 ** 40]) assert.equal(tileNumberOf(tileNumber(number)), number)
  for (const path of ['', '5', 'x001', '001/002', 'x000/005', '0x1']) assert.equal(tileNumberOf(path), undefined, path)
})
