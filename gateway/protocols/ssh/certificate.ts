import { createPublicKey } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'
import { fingerprintOf, type SshKey } from '../../identity/ssh-keys.ts'
import { utils } from './library.ts'
import { Reader } from './reader.ts'

/** The algorithms of user certificates (PROTOCOL.certkeys of OpenSSH), and the numbers or points of the key inside. */
const KINDS: Readonly<Record<string, { readonly type: string; readonly fields: number; readonly hash?: string }>> = {
  'ssh-ed25519-cert-v01@openssh.com': { type: 'ssh-ed25519', fields: 1 },
  'ecdsa-sha2-nistp256-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp256', fields: 2 },
  'ecdsa-sha2-nistp384-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp384', fields: 2 },
  'ecdsa-sha2-nistp521-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp521', fields: 2 },
  'rsa-sha2-256-cert-v01@openssh.com': { type: 'ssh-rsa', fields: 2 },
  'rsa-sha2-512-cert-v01@openssh.com': { type: 'ssh-rsa', fields: 2 },
}
const USER_CERTIFICATE = 1
const MIN_RSA_BITS = 2048
/** An RSA signature says by which hash it is; SHA-1 is none of them. */
const HASHES: Readonly<Record<string, string | undefined>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }

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
    const kind = KINDS[algorithm]
    if (kind !== undefined) return ofCertificate(data, kind, rules)
    const parsed = parse(algorithm, data)
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

function ofCertificate(
  data: Uint8Array,
  { type, fields }: { type: string; fields: number },
  rules: CertificateRules,
): Offered | undefined {
  const reader = new Reader(data)
  reader.string() // the algorithm once more
  reader.string() // nonce
  const inner = [Buffer.from(type), ...Array.from({ length: fields }, () => reader.string())]
  const blob = Buffer.concat(inner.map((field) => Buffer.concat([lengthOf(field), field])))
  reader.skip(8) // serial
  const role = reader.uint32()
  const keyId = reader.text()
  const principals = reader.list()
  const after = reader.uint64()
  const before = reader.uint64()
  const critical = new Reader(reader.string())
  reader.string() // extensions: none of them gives what policy does not
  reader.string() // reserved
  const authority = reader.string()
  const signed = data.subarray(0, reader.position)
  const signature = reader.string()
  const now = BigInt(Math.floor(rules.nowMs / 1000))
  if (role !== USER_CERTIFICATE || !reader.done || now < after || now >= before) return undefined
  if (!rules.authorities.has(fingerprintOf(authority)) || !signedBy(authority, signed, signature)) return undefined
  if (!criticalOptionsHold(critical, rules.address)) return undefined
  const parsed = parse(type, blob)
  return {
    key: { fingerprint: fingerprintOf(blob), certificate: { authority: fingerprintOf(authority), keyId, principals } },
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

function signedBy(authority: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const type = new Reader(authority).text()
  return signedWith(parse(type, authority), type, text, signature)
}

/** `wrapped`: algorithm and signature, as strings. */
function signedWith(key: ParsedKey, type: string, text: Uint8Array, wrapped: Uint8Array): boolean {
  const reader = new Reader(wrapped)
  const algorithm = reader.text()
  const signature = reader.string()
  const hash = HASHES[algorithm]
  if (type === 'ssh-rsa' ? hash === undefined : algorithm !== type) return false
  return verified(key, text, type.startsWith('ecdsa') ? derOf(signature) : signature, hash)
}

type ParsedKey = Exclude<ReturnType<typeof utils.parseKey>, Error>

function parse(type: string, blob: Uint8Array): ParsedKey {
  const parsed = utils.parseKey(`${type} ${Buffer.from(blob).toString('base64')}`)
  if (parsed instanceof Error) throw parsed
  const bits = type === 'ssh-rsa' ? createPublicKey(parsed.getPublicPEM()).asymmetricKeyDetails?.modulusLength : undefined
  if (bits !== undefined && bits < MIN_RSA_BITS) throw new Error('the key is too short')
  return parsed
}

function verified(key: ParsedKey, text: Uint8Array, signature: Uint8Array, hash: string | undefined): boolean {
  return key.verify(Buffer.from(text), Buffer.from(signature), hash) === true
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return length
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
