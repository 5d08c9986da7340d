import { base64Bytes, hexOf } from './bytes.ts'
import { ApplianceError } from './errors.ts'
import { isSoundKey } from './verify/ed25519.ts'
import type { GatewayKey } from './verify/tools.ts'

const ED25519 = '302a300506032b6570032100'
/** Of an SPKI, before the key itself: Ed25519 (RFC 8410) and an uncompressed point of P-256 (RFC 5480). */
const KINDS = [
  { size: 44, head: ED25519 },
  { size: 91, head: '3059301306072a8648ce3d020106082a8648ce3d03010703420004' },
]

/** A line per gateway: thousands of them. What is larger is something else, and is not read. */
export const MAX_KEYS_SIZE = 1 << 20

export function tooLarge(file: string): string {
  return `${file} has more than ${MAX_KEYS_SIZE} bytes: it is no file of public keys`
}

/**
 * The keys in a `gateway.pub`: one per line, a gateway's name and its SPKI in base64; empty lines and those that begin with `#` are
 * passed over. Throws CONFIG_INVALID with the first line that is anything else, as `file:line`.
 */
export function parseGatewayKeys(text: string, file: string): GatewayKey[] {
  const keys: GatewayKey[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== '')
    const invalid = (what: string): ApplianceError => new ApplianceError('CONFIG_INVALID', `${file}:${index + 1}: ${what}`)
    if (line.startsWith('\ufeff')) throw invalid('a byte order mark; a gateway.pub is UTF-8 without one')
    const [gateway, key, ...more] = words
    if (gateway === undefined || gateway.startsWith('#')) continue
    if (key === undefined || more.length > 0) throw invalid('a line is the name of a gateway and a public key (SPKI, base64)')
    const publicKey = base64Bytes(key)
    if (publicKey === undefined) throw invalid('the public key is not base64')
    const hex = hexOf(publicKey)
    if (!KINDS.some(({ size, head }) => publicKey.length === size && hex.startsWith(head)))
      throw invalid('the public key is neither of Ed25519 nor of P-256 (SPKI)')
    if (hex.startsWith(ED25519) && !isSoundKey(publicKey.subarray(-32)))
      throw invalid('the public key is one that nobody needs a private key for')
    keys.push({ gateway, publicKey })
  }
  return keys
}
