import { createHash } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Credential } from '../../credentials/credential.ts'
import { ALPN } from './greet-tls.ts'
import { tolerateErrors } from './startup-pull.ts'

/** One per target, usually; each holds its parsed certificates. */
const MAX_CONTEXTS = 256
const contexts = new Map<string, SecureContext>()

/**
 * Our side of the handshake with a target that agreed to TLS. `verify` checks chain and name; `unverified` neither.
 * Rejects TARGET_UNREACHABLE, or with the signal's reason.
 */
export function startTls(socket: Socket, host: string, credential: Credential, signal: AbortSignal): Promise<TLSSocket> {
  const { tls } = credential
  const name = (tls.mode === 'verify' ? tls.serverName : undefined) ?? host
  const secured = connect({
    socket,
    secureContext: contextOf(credential),
    ALPNProtocols: [ALPN],
    rejectUnauthorized: tls.mode === 'verify',
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    // Server name indication is for names only (RFC 6066 section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
  })
  tolerateErrors(secured)
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      secured.off('secureConnect', done)
      secured.off('error', failed)
      secured.off('end', closed)
      secured.off('close', closed)
      signal.removeEventListener('abort', aborted)
      finish()
    }
    const done = (): void => settle(() => resolve(secured))
    const failed = (cause: Error): void => {
      const reason = 'code' in cause ? String(cause.code) : cause.message
      settle(() => reject(new ApplianceError('TARGET_UNREACHABLE', `TLS with the target failed: ${reason}`, { cause })))
    }
    const closed = (): void =>
      settle(() => reject(new ApplianceError('TARGET_UNREACHABLE', 'the target left during the TLS handshake')))
    const aborted = (): void => settle(() => reject(signal.reason))
    secured.on('secureConnect', done)
    secured.on('error', failed)
    secured.on('end', closed) // half-open sockets do not close by themselves
    secured.on('close', closed)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

function contextOf(credential: Credential): SecureContext {
  const { certificate, tls } = credential
  const ca = tls.mode === 'verify' ? tls.ca : undefined
  const id = createHash('sha256')
    .update(JSON.stringify([ca, certificate?.cert, certificate?.key]))
    .digest('base64')
  const known = contexts.get(id)
  if (known !== undefined) return known
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
  })
  const oldest = contexts.keys().next().value
  if (contexts.size >= MAX_CONTEXTS && oldest !== undefined) contexts.delete(oldest)
  contexts.set(id, context)
  return context
}

// Hash algorithms by the last bytes of their DER object identifiers, in the places a signature algorithm names them.
const HASHES: readonly (readonly [oid: string, hash: string])[] = [
  ['2a864886f70d010104', 'sha256'], // md5WithRSA: RFC 5929 asks for SHA-256 instead of MD5 and SHA-1
  ['2a864886f70d010105', 'sha256'], // sha1WithRSA
  ['2a8648ce3d0401', 'sha256'], // ecdsa-with-SHA1
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a864886f70d01010e', 'sha224'],
  ['2a8648ce3d040301', 'sha224'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
]
const RSA_PSS = '2a864886f70d01010a'
const PSS_HASHES: readonly (readonly [oid: string, hash: string])[] = [
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
]

/**
 * The tls-server-end-point binding of a server's certificate (RFC 5929 section 4.1): its hash, by the hash of its own
 * signature. undefined where none is defined (EdDSA): then the channel cannot be bound.
 */
export function endPointBinding(certificate: Uint8Array): Uint8Array | undefined {
  // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OID, parameters }, ... }
  const outer = derItem(certificate, 0)
  const tbs = outer === undefined ? undefined : derItem(certificate, outer.start)
  const algorithm = tbs === undefined ? undefined : derItem(certificate, tbs.end)
  const oid = algorithm === undefined ? undefined : derItem(certificate, algorithm.start)
  if (algorithm === undefined || oid === undefined) return undefined
  const name = Buffer.from(certificate.subarray(oid.start, oid.end)).toString('hex')
  const parameters = Buffer.from(certificate.subarray(oid.end, algorithm.end)).toString('hex')
  const hash =
    name === RSA_PSS
      ? (PSS_HASHES.find(([pss]) => parameters.includes(pss))?.[1] ?? 'sha256') // unnamed is SHA-1, hence SHA-256
      : HASHES.find(([known]) => known === name)?.[1]
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

/** Where the contents of the DER item at `at` begin and end; undefined when it does not fit. */
function derItem(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } | undefined {
  const first = bytes[at + 1]
  if (first === undefined) return undefined
  let start = at + 2
  let size = first
  if (first >= 0x80) {
    size = 0
    for (let left = first & 0x7f; left > 0; left--) size = size * 256 + (bytes[start++] ?? Number.NaN)
  }
  const end = start + size
  return end <= bytes.length ? { start, end } : undefined
}
