import type { Client, ParsedKey, PublicKeyAuthMethod } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import { blobOf } from '../../identity/ssh-keys.ts'
import { certificateName, numbersOf, readCertificate, stringOf, validAt } from './certificate-fields.ts'
import { utils } from './library.ts'

const USERAUTH_REQUEST = 50

/** The gateway's own key with a certificate for it. */
export interface CertifiedKey {
  /** As the library takes it: a key whose public half is the certificate. */
  readonly key: ParsedKey
  /** Of the request, and of the signature in it. */
  readonly algorithm: string
  readonly signedBy: string
  readonly certificate: Buffer
  readonly keyId: string
  /** Over these bytes, as SSH has it. */
  sign(bytes: Uint8Array): Buffer
}

/**
 * `line`: as in `*-cert.pub`. Throws TARGET_REFUSED for one that is no user's, has run out, or is not of this key: whoever renews the two as files
 * writes the certificate last, and the next session has them.
 */
export function certifiedKey(line: string, privateKey: string, nowMs: number): CertifiedKey {
  const parsed = utils.parseKey(privateKey)
  if (parsed instanceof Error) throw refused('the private key cannot be read', parsed)
  const data = Buffer.from(blobOf(line))
  let certificate: ReturnType<typeof readCertificate>
  try {
    certificate = readCertificate(data)
  } catch (error) {
    throw refused('the certificate cannot be read', error)
  }
  const { type, blob, role, keyId } = certificate
  if (role !== 'user') throw refused('the certificate is one of a host')
  if (!blob.equals(parsed.getPublicSSH())) throw refused('the certificate is not of the private key')
  if (!validAt(certificate, nowMs)) throw refused('the certificate has run out, or is not valid yet')
  const signedBy = type === 'ssh-rsa' ? 'rsa-sha2-512' : type
  const key = Object.create(parsed, {
    type: { value: certificateName(type) },
    getPublicSSH: { value: () => data },
  })
  return {
    key,
    algorithm: certificateName(signedBy),
    signedBy,
    certificate: data,
    keyId,
    sign(bytes) {
      const signature: Buffer | Error = parsed.sign(Buffer.from(bytes), type === 'ssh-rsa' ? 'sha512' : undefined)
      if (signature instanceof Error) throw refused('the private key cannot sign', signature)
      return type.startsWith('ecdsa') ? numbersOf(signature) : signature
    },
  }
}

export function certifiedLogin(username: string, { key }: CertifiedKey): PublicKeyAuthMethod {
  return { type: 'publickey', username, key }
}

interface Protocol {
  readonly _kex: { readonly sessionID: Buffer }
  readonly _authsQueue: string[]
  readonly _packetRW: {
    readonly write: { readonly allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer }
  }
  readonly _cipher: { encrypt(packet: Buffer): void }
  authPK(username: string): void
}

/**
 * The library (ssh2 1.17) names the algorithm of the request in the signature as well, where a certificate's key has another: the request (RFC 4252,
 * 7) is put together here, signed at once.
 */
export function proveByCertificate(client: Client, { algorithm, signedBy, certificate, sign }: CertifiedKey): void {
  const protocol: unknown = Reflect.get(client, '_protocol')
  if (!isProtocol(protocol)) throw new TypeError('this version of ssh2 proves its user elsewhere')
  protocol.authPK = (username) => {
    const request = Buffer.concat([
      Buffer.from([USERAUTH_REQUEST]),
      ...[username, 'ssh-connection', 'publickey'].map(stringOf),
      Buffer.from([1]),
      ...[algorithm, certificate].map(stringOf),
    ])
    const signature = sign(Buffer.concat([stringOf(protocol._kex.sessionID), request]))
    const whole = Buffer.concat([request, stringOf(Buffer.concat([stringOf(signedBy), stringOf(signature)]))])
    const { write } = protocol._packetRW
    const packet = write.alloc(whole.length)
    whole.copy(packet, write.allocStart)
    protocol._authsQueue.push('publickey')
    protocol._cipher.encrypt(write.finalize(packet))
  }
}

function isProtocol(value: unknown): value is Protocol {
  if (typeof value !== 'object' || value === null) return false
  return ['_kex', '_authsQueue', '_packetRW', '_cipher', 'authPK'].every((name) => name in value)
}

/** The client hears that it is the credential; our log has what is wrong with it. */
function refused(why: string, cause?: unknown): ApplianceError {
  return new ApplianceError(
    'TARGET_REFUSED',
    `the gateway's own credential for this target cannot be used: ${why}; its operator has to look`,
    {
      cause,
    },
  )
}
