import { base64Bytes, hexOf } from './bytes.ts'
import { ApplianceError } from './errors.ts'
import type { GatewayKey } from './verify/tools.ts'

/** Of an SPKI, before the key itself: Ed25519 (RFC 8410) and an uncompressed point of P-256 (RFC 5480). */
const KINDS = [
  { size: 44, head: '302a300506032b6570032100' },
  { size: 91, head: '3059301306072a8648ce3d020106082a8648ce3d03010703420004' },
]

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
    keys.push({ gateway, publicKey })
  }
  return keys
}
