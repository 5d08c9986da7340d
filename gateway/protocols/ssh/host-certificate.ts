import type { Client } from 'ssh2'
import { fingerprintOf } from '../../identity/ssh-keys.ts'
import { certificateName, isCertificate, parsePublic, plainName, readCertificate, validAt } from './certificate-fields.ts'
import { withHostKeys } from './offer.ts'
import { Reader } from './reader.ts'

/** In the order in which OpenSSH prefers them. */
const ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
].map(certificateName)

export interface HostRules {
  /** Fingerprints of the authorities. */
  readonly authorities: ReadonlySet<string>
  /** What it has to be a certificate of. */
  readonly name: string
  readonly nowMs: number
}

/** A host's key that an authority stands for. */
export interface CertifiedHost {
  readonly blob: Buffer
  readonly fingerprint: string
  readonly keyId: string
  readonly authority: string
}

/** The key in a host certificate, or why it is not believed. */
export function certifiedHost(data: Uint8Array, { authorities, name, nowMs }: HostRules): CertifiedHost | string {
  let certificate: ReturnType<typeof readCertificate>
  try {
    certificate = readCertificate(data)
    parsePublic(certificate.type, certificate.blob)
  } catch (error) {
    return `it cannot be read (${error instanceof Error ? error.message : 'unknown error'})`
  }
  const { role, principals, authority, critical, blob, keyId } = certificate
  if (!authorities.has(authority)) return 'none of the configured authorities signed it'
  if (role !== 'host') return 'it is a certificate of a user'
  if (!principals.includes(name.toLowerCase())) return `it is not of ${name}`
  if (!validAt(certificate, nowMs)) return 'it is not valid at this time'
  // There are none for hosts: one that is there is not understood.
  if (critical.length > 0) return 'it has critical options'
  return { blob, fingerprint: fingerprintOf(blob), keyId, authority }
}

/** Whether a host key, as the host shows it, is a certificate. */
export function isHostCertificate(key: Uint8Array): boolean {
  try {
    return isCertificate(new Reader(key).text())
  } catch {
    return false
  }
}

interface KeyExchange {
  readonly negotiated: { serverHostKey: string }
}

/**
 * The library (ssh2 1.17) knows no certificates of hosts. This offers to take them, before any of its own; `accept` is to be called from its hostVerifier with the key inside
 * of one that is believed: the exchange hash then has the certificate in it (RFC 4253, 8), and its signature is checked by the key inside. Were the
 * library to read these in another order, the check would fail and nobody be let in.
 */
export function takeHostCertificates(client: Client): { accept(certificate: Buffer, blob: Buffer): void } {
  const protocol: unknown = Reflect.get(client, '_protocol')
  if (typeof protocol !== 'object' || protocol === null || !('_kex' in protocol))
    throw new TypeError('this version of ssh2 exchanges keys elsewhere')
  withHostKeys(protocol, ALGORITHMS)
  let exchange: KeyExchange | undefined
  let algorithm = ''
  Object.defineProperty(protocol, '_kex', {
    configurable: true,
    enumerable: true,
    get: () => exchange,
    set(next: KeyExchange) {
      exchange = next
      const { negotiated } = next
      if (!isCertificate(negotiated.serverHostKey)) return
      algorithm = plainName(negotiated.serverHostKey)
      // Certificates of RSA keys are of one type, whatever hash is agreed on.
      if (algorithm.startsWith('rsa-')) negotiated.serverHostKey = certificateName('ssh-rsa')
    },
  })
  return {
    accept(certificate, blob) {
      if (exchange === undefined) throw new TypeError('this version of ssh2 verifies hosts elsewhere')
      exchange.negotiated.serverHostKey = algorithm
      let read = false
      Object.defineProperty(exchange, '_hostKey', {
        configurable: true,
        get() {
          const first = !read
          read = true
          return first ? certificate : blob
        },
        set: () => undefined,
      })
    },
  }
}
