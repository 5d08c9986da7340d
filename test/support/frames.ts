import { pack } from '../../recorder/tape/msgpack.ts'

/** A query frame's bytes as they stand in a chunk (docs/tape-format.md). */
export function encodeFrame(seq: number, atUs: number): Uint8Array {
  return pack([seq, atUs, 0, 0, 'query', {}, null, null, null])
}
