import type { Random } from '../support/random.ts'

/** What decoders are given at most: more is only slower. */
export const MAX_INPUT_SIZE = 16 << 10
const MAX_CHANGES = 8
/** Where codecs are most often wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] as const

type Change = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Buffer

const CHANGES: readonly [Change, ...Change[]] = [
  (bytes, random) => {
    const at = random.between(0, bytes.length - 1)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7))
    return bytes
  },
  (bytes, random) => {
    bytes[random.between(0, bytes.length - 1)] = random.between(0, 255)
    return bytes
  },
  // A number of 8, 16 or 32 bits, either way round.
  (bytes, random) => {
    const value = EDGES[random.between(0, EDGES.length - 1)] ?? 0
    const size = random.pick([1, 2, 4])
    if (bytes.length < size) return bytes
    const at = random.between(0, bytes.length - size)
    if (random.chance(0.5)) bytes.writeUIntBE(value % 2 ** (8 * size), at, size)
    else bytes.writeUIntLE(value % 2 ** (8 * size), at, size)
    return bytes
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  (bytes, random) => {
    const [from, to] = span(bytes, random)
    const times = random.chance(0.05) ? random.between(2, 200) : 1
    return Buffer.concat([
      bytes.subarray(0, to),
      ...Array.from({ length: times }, () => bytes.subarray(from, to)),
      bytes.subarray(to),
    ])
  },
  (bytes, random) => {
    const at = random.between(0, bytes.length)
    const fresh = Buffer.from(Array.from({ length: random.scale(1, 32) }, () => random.between(0, 255)))
    return Buffer.concat([bytes.subarray(0, at), fresh, bytes.subarray(at)])
  },
  (bytes, random, others) => {
    const other = others[random.between(0, others.length - 1)] ?? bytes
    const [from, to] = span(other, random)
    const at = random.between(0, bytes.length)
    return Buffer.concat([
      bytes.subarray(0, at),
      other.subarray(from, to),
      bytes.subarray(random.chance(0.5) ? at : bytes.length),
    ])
  },
  (bytes, random) => bytes.subarray(0, random.between(0, bytes.length)),
]

/** One of `corpus`, changed in a few places; never empty corpora. */
export function mutated(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = Buffer.from(corpus[random.between(0, corpus.length - 1)] ?? [])
  for (let count = random.scale(1, MAX_CHANGES); count > 0; count -= 1) {
    if (bytes.length === 0) bytes = Buffer.of(random.between(0, 255))
    bytes = Buffer.from(random.pick(CHANGES)(bytes, random, corpus))
  }
  return bytes.subarray(0, MAX_INPUT_SIZE)
}

function span(bytes: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.between(0, bytes.length)
  return [from, Math.min(bytes.length, from + random.scale(1, Math.max(1, bytes.length)))]
}
