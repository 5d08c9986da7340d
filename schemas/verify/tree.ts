import { joinBytes, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'

// Proofs of RFC 6962 sections 2.1.1 and 2.1.2, made and checked.

type Hash = (bytes: Uint8Array) => Uint8Array
/** The hash of the complete subtree over leaves [index * 2^level, (index + 1) * 2^level). */
export type NodeAt = (level: number, index: number) => Promise<Uint8Array>

const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)

export function leafHash(sha256: Hash, data: Uint8Array): Uint8Array {
  return sha256(joinBytes(LEAF, data))
}

export function nodeHash(sha256: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(joinBytes(NODE, left, right))
}

/** Root over the leaves [from, to), where `from` is where a subtree of that size may begin. */
async function rangeHash(sha256: Hash, node: NodeAt, from: number, to: number): Promise<Uint8Array> {
  const size = to - from
  const level = Math.log2(size)
  if (Number.isInteger(level) && from % size === 0) return node(level, from / size)
  const split = from + splitOf(size)
  return nodeHash(sha256, await rangeHash(sha256, node, from, split), await rangeHash(sha256, node, split, to))
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

export async function rootAt(sha256: Hash, node: NodeAt, size: number): Promise<Uint8Array> {
  return size === 0 ? sha256(new Uint8Array(0)) : rangeHash(sha256, node, 0, size)
}

/** From the leaf's sibling up. Throws LEDGER_MALFORMED where the tree has no such leaf. */
export async function inclusionProof(sha256: Hash, node: NodeAt, index: number, size: number): Promise<Uint8Array[]> {
  if (index < 0 || index >= size) throw new ApplianceError('LEDGER_MALFORMED', `a tree of ${size} leaves has no leaf ${index}`)
  const proof: Uint8Array[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const split = from + splitOf(to - from)
    if (index < split) {
      proof.push(await rangeHash(sha256, node, split, to))
      to = split
    } else {
      proof.push(await rangeHash(sha256, node, from, split))
      from = split
    }
  }
  return proof.reverse()
}

/** That the tree of `size` begins with that of `before`. Empty where one of them is, or both are the same. */
export async function consistencyProof(sha256: Hash, node: NodeAt, before: number, size: number): Promise<Uint8Array[]> {
  if (before < 0 || before > size)
    throw new ApplianceError('LEDGER_MALFORMED', `a tree of ${size} leaves does not begin with one of ${before}`)
  if (before === 0 || before === size) return []
  const proof: Uint8Array[] = []
  let [from, to, whole] = [0, size, true]
  while (before !== to) {
    const split = from + splitOf(to - from)
    if (before <= split) {
      proof.push(await rangeHash(sha256, node, split, to))
      to = split
    } else {
      proof.push(await rangeHash(sha256, node, from, split))
      from = split
      whole = false
    }
  }
  // The old tree is itself a node of the new one: whoever checks has its hash.
  if (!whole) proof.push(await rangeHash(sha256, node, from, to))
  return proof.reverse()
}

/** The root to which the leaf and its proof lead; undefined where the proof has not the length it must have. */
export function rootFromInclusion(
  sha256: Hash,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (index < 0 || index >= size) return undefined
  let [at, last, hash] = [index, size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) return undefined
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sha256, sibling, hash)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)]
    } else hash = nodeHash(sha256, hash, sibling)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 ? hash : undefined
}

/** RFC 9162 section 2.1.4.2. */
export function isConsistent(
  sha256: Hash,
  before: { readonly size: number; readonly root: Uint8Array },
  after: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (before.size > after.size) return false
  if (before.size === after.size) return proof.length === 0 && sameBytes(before.root, after.root)
  if (before.size === 0) return proof.length === 0
  const path = [...proof]
  let [at, last] = [before.size - 1, after.size - 1]
  const power = 2 ** Math.round(Math.log2(before.size)) === before.size
  const first = power ? before.root : path.shift()
  if (first === undefined) return false
  while (at % 2 === 1) [at, last] = [(at - 1) / 2, Math.floor(last / 2)]
  let [old, now] = [first, first]
  for (const hash of path) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      old = nodeHash(sha256, hash, old)
      now = nodeHash(sha256, hash, now)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)]
    } else now = nodeHash(sha256, now, hash)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 && sameBytes(old, before.root) && sameBytes(now, after.root)
}
