/**
 * Room before large reads: what one read left incomplete is put in front of the next one, so that the two are one stretch of bytes
 * without the next being copied. As much as an ordinary row takes, several times over.
 */
const HEAD_ROOM = 8 * 1024

const roomy = new WeakSet<ArrayBufferLike>()

/** Memory for reads of `size` bytes with room before it. */
export function roomyBuffer(size: number): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(HEAD_ROOM + size)
  roomy.add(whole.buffer)
  return whole.subarray(HEAD_ROOM)
}

/** The bytes of `pieces` and then `bytes`, which stay where they are; undefined where there is no room before them. */
export function putBefore(bytes: Uint8Array, pieces: readonly Uint8Array[], piecesSize: number): Uint8Array | undefined {
  // Only at the very beginning of such memory is what stands before nobody's.
  if (piecesSize > HEAD_ROOM || bytes.byteOffset !== HEAD_ROOM || !roomy.has(bytes.buffer)) return undefined
  const joined = Buffer.from(bytes.buffer, HEAD_ROOM - piecesSize, piecesSize + bytes.length)
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
