// What every verifier of Ed25519 signatures must refuse and libraries differ about; one rule for all (docs/tape-format.md).

const KEY_SIZE = 32
const SIGNATURE_SIZE = 64
/** 2^255 - 19, the order of the base point: from the last byte to the first. */
const P = `7f${'ff'.repeat(30)}ed`
const L = '1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed'
/** y of the points of order 1, 2, 4 and 8, likewise: anybody can make signatures that fit these. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '01'.padStart(64, '0'),
  `7f${'ff'.repeat(30)}ec`,
  '0'.repeat(64),
  '7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7',
  '05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826',
])

/** Whether a raw key is canonical and none that nobody needs a private key for. */
export function isSoundKey(key: Uint8Array): boolean {
  if (key.length !== KEY_SIZE) return false
  const y = yOf(key)
  return y < P && !SMALL_ORDER.has(y)
}

/** Whether there is but one way to write this signature, and this is it. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_SIZE) return false
  return yOf(signature.subarray(0, KEY_SIZE)) < P && hexFromLast(signature.subarray(KEY_SIZE)) < L
}

/** Without the bit that is the sign of x. */
function yOf(point: Uint8Array): string {
  const last = (point[KEY_SIZE - 1] ?? 0) & 0x7f
  return last.toString(16).padStart(2, '0') + hexFromLast(point.subarray(0, KEY_SIZE - 1))
}

function hexFromLast(bytes: Uint8Array): string {
  let hex = ''
  for (let at = bytes.length - 1; at >= 0; at -= 1) hex += HEX[bytes[at] ?? 0]
  return hex
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
