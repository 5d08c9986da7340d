import { BlockList, isIPv6 } from 'node:net'
import { fingerprintOf, type SshKey } from '../../identity/ssh-keys.ts'
import { isCertificate, parsePublic, plainName, readCertificate, signedWith, validAt, verified } from './certificate-fields.ts'
import { Reader } from './reader.ts'

/** A public key as a client shows it, ready to check a signature by it. */
export interface Offered {
  readonly key: SshKey
  /** Whether `signature` over `blob` is its own. */
  verify(blob: Uint8Array, signature: Uint8Array, hashAlgo: string | undefined): boolean
}

/** Who may sign certificates, and what a certificate is checked against. */
export interface CertificateRules {
  /** Fingerprints of the authorities. */
  readonly authorities: ReadonlySet<string>
  /** Where the client comes from, without its port. */
  readonly address: string
  readonly nowMs: number
}

/** The key or certificate in `data`; undefined for what is none, is too weak, or is no valid certificate of an authority. Never throws. */
export function offered(algorithm: string, data: Uint8Array, rules: CertificateRules): Offered | undefined {
  try {
    if (isCertificate(algorithm)) return ofCertificate(algorithm, data, rules)
    const parsed = parsePublic(algorithm, data)
    return {
      key: { fingerprint: fingerprintOf(data) },
      verify: (blob, signature, hash) =>
        (algorithm !== 'ssh-rsa' || hash !== undefined) && verified(parsed, blob, signature, hash),
    }
  } catch {
    // Whatever is wrong with it, it proves nothing.
    return undefined
  }
}

/** RSA with SHA-2 has algorithms of its own for keys of the one type (RFC 8332). */
const RSA = new Set(['rsa-sha2-256', 'rsa-sha2-512'])

function ofCertificate(algorithm: string, data: Uint8Array, rules: CertificateRules): Offered | undefined {
  const { type, blob, role, keyId, principals, authority, critical, ...period } = readCertificate(data)
  const plain = plainName(algorithm)
  if (type === 'ssh-rsa' ? !RSA.has(plain) : type !== plain) return undefined
  if (role !== 'user' || !validAt(period, rules.nowMs) || !rules.authorities.has(authority)) return undefined
  if (!criticalOptionsHold(new Reader(critical), rules.address)) return undefined
  const parsed = parsePublic(type, blob)
  return {
    key: { fingerprint: fingerprintOf(blob), certificate: { authority, keyId, principals } },
    verify: (text, wrapped) => signedWith(parsed, type, text, wrapped),
  }
}

/** An option that is not understood, `force-command` among them, forbids the certificate: that is what critical means. */
function criticalOptionsHold(options: Reader, address: string): boolean {
  while (!options.done) {
    const name = options.text()
    const value = new Reader(options.string())
    if (name !== 'source-address') return false
    if (!isAmong(address, value.text().split(','))) return false
  }
  return true
}

/** Addresses and networks (`10.0.0.0/8`). Throws for what is neither. */
function isAmong(address: string, networks: readonly string[]): boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', prefix] = network.split('/')
    const family = isIPv6(base) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(base, family)
    else list.addSubnet(base, Number(prefix), family)
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
