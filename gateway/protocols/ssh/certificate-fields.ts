import { createPublicKey } from 'node:crypto'
import { fingerprintOf } from '../../identity/ssh-keys.ts'
import { utils } from './library.ts'
import { Reader } from './reader.ts'

const SUFFIX = '-cert-v01@openssh.com'
/** The types of keys in certificates (PROTOCOL.certkeys of OpenSSH), and how many numbers or points each has. */
const FIELDS: Readonly<Record<string, number | undefined>> = {
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'ssh-rsa': 2,
}
const MIN_RSA_BITS = 2048
/** An RSA signature says by which hash it is; SHA-1 is none of them. */
const HASHES: Readonly<Record<string, string | undefined>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }

/** What a certificate of OpenSSH says, once its authority's signature was found to be right. */
export interface Certificate {
  /** The key inside: its type, and as it would stand alone. */
  readonly type: string
  readonly blob: Buffer
  readonly role: 'user' | 'host'
  readonly keyId: string
  readonly principals: readonly string[]
  /** Seconds since 1970: valid from, and until, that one excluded. */
  readonly after: bigint
  readonly before: bigint
  /** Options that have to be understood, as they stand. */
  readonly critical: Uint8Array
  /** Fingerprint of who signed it. */
  readonly authority: string
}

/** Whether keys of this name, as algorithms or at the beginning of a blob, are certificates. */
export function isCertificate(name: string): boolean {
  return name.endsWith(SUFFIX)
}

/** The name without what makes it one of certificates. */
export function plainName(name: string): string {
  return isCertificate(name) ? name.slice(0, -SUFFIX.length) : name
}

export function certificateName(name: string): string {
  return `${name}${SUFFIX}`
}

/** Throws for what is none, or is not signed by the key it names. Whether that one may is for the caller to know. */
export function readCertificate(data: Uint8Array): Certificate {
  const reader = new Reader(data)
  const name = reader.text()
  const type = plainName(name)
  const fields = isCertificate(name) ? FIELDS[type] : undefined
  if (fields === undefined) throw new Error('no certificate')
  reader.string() // nonce
  const inner = [Buffer.from(type), ...Array.from({ length: fields }, () => reader.string())]
  reader.skip(8) // serial
  const role = reader.uint32()
  const keyId = reader.text()
  const principals = reader.list()
  const after = reader.uint64()
  const before = reader.uint64()
  const critical = reader.string()
  reader.string() // extensions: none of them gives what policy does not
  reader.string() // reserved
  const authority = reader.string()
  const signed = data.subarray(0, reader.position)
  const signature = reader.string()
  if (!reader.done || (role !== 1 && role !== 2)) throw new Error('no certificate')
  const signer = new Reader(authority).text()
  if (!signedWith(parsePublic(signer, authority), signer, signed, signature)) throw new Error('its signature is wrong')
  return {
    type,
    blob: Buffer.concat(inner.map(stringOf)),
    role: role === 1 ? 'user' : 'host',
    keyId,
    principals,
    after,
    before,
    critical,
    authority: fingerprintOf(authority),
  }
}

/** Whether the time, ms, is one it is valid at. */
export function validAt({ after, before }: Pick<Certificate, 'after' | 'before'>, nowMs: number): boolean {
  const now = BigInt(Math.floor(nowMs / 1000))
  return now >= after && now < before
}

export type ParsedKey = Exclude<ReturnType<typeof utils.parseKey>, Error>

/** Throws for what is no key, or too weak. */
export function parsePublic(type: string, blob: Uint8Array): ParsedKey {
  const parsed = utils.parseKey(`${type} ${Buffer.from(blob).toString('base64')}`)
  if (parsed instanceof Error) throw parsed
  const bits = type === 'ssh-rsa' ? createPublicKey(parsed.getPublicPEM()).asymmetricKeyDetails?.modulusLength : undefined
  if (bits !== undefined && bits < MIN_RSA_BITS) throw new Error('the key is too short')
  return parsed
}

/** Whether `wrapped`, algorithm and signature as strings, is the key's own over the text. */
export function signedWith(key: ParsedKey, type: string, text: Uint8Array, wrapped: Uint8Array): boolean {
  const reader = new Reader(wrapped)
  const algorithm = reader.text()
  const signature = reader.string()
  const hash = HASHES[algorithm]
  if (type === 'ssh-rsa' ? hash === undefined : algorithm !== type) return false
  return verified(key, text, type.startsWith('ecdsa') ? derOf(signature) : signature, hash)
}

export function verified(key: ParsedKey, text: Uint8Array, signature: Uint8Array, hash: string | undefined): boolean {
  return key.verify(Buffer.from(text), Buffer.from(signature), hash) === true
}

/** Bytes as SSH has them inside others: their length in front (RFC 4251, 5). */
export function stringOf(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

/** The two numbers of an ECDSA signature (RFC 5656, 3.1.2) as ASN.1, which is what node:crypto takes. */
function derOf(signature: Uint8Array): Uint8Array {
  const reader = new Reader(signature)
  const numbers = [reader.string(), reader.string()]
  // Numbers of curves known here are shorter than 128 bytes; both of P-521 together are not.
  const body = Buffer.concat(numbers.map((number) => Buffer.concat([Buffer.from([0x02, number.length]), number])))
  const head = body.length < 0x80 ? [0x30, body.length] : [0x30, 0x81, body.length]
  return Buffer.concat([Buffer.from(head), body])
}

/** And back: what node:crypto made, as SSH has it. */
export function numbersOf(der: Uint8Array): Buffer {
  let at = der[1] === 0x81 ? 3 : 2
  const number = (): Uint8Array => {
    const size = der[at + 1] ?? 0
    at += 2 + size
    return der.subarray(at - size, at)
  }
  return Buffer.concat([stringOf(number()), stringOf(number())])
}
