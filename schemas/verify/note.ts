import { base64Bytes, base64Of, hexOf, joinBytes, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { HASH_SIZE } from '../tape.ts'
import { isSoundKey } from './ed25519.ts'
import type { GatewayKey, VerifyTools } from './tools.ts'

// Signed notes and checkpoints as C2SP has them: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.

/** Signature types of signed notes that a log's own key may have. */
const ED25519 = 0x01
const ECDSA = 0x02
/** SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 section 4). */
const ED25519_SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)
/** A checkpoint is three lines; what is larger than this with all its signatures is not one. */
export const MAX_NOTE_SIZE = 64 << 10
/** Of which at most this many are looked at: the specification asks for 16 at least. */
const MAX_SIGNATURES = 32

/** Blanks as anybody has them: whose `\s` it is makes a difference. None, no control character and no `+` is in a name. */
const NAME = '[^+\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f\\u3000\\ufeff]+'
const SIGNATURE_LINE = new RegExp(`^— (${NAME}) ([A-Za-z0-9+/=]+)$`, 'u')
/** The object that names a log: the name and one newline. */
const NAME_LINE = new RegExp(`^(${NAME})\\n$`, 'u')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export interface NoteSignature {
  readonly name: string
  /** u32, as 8 hex digits. */
  readonly keyId: string
  readonly signature: Uint8Array
}

export interface Note {
  /** Ends with a newline: what is signed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A key that signs notes. */
export interface NoteKey {
  readonly name: string
  readonly keyId: string
  readonly algorithm: 'Ed25519' | 'ES256'
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: Note
}

/** The name in `ledger/origin`, under which checkpoints are signed; undefined where nothing could be signed under what stands there. */
export function parseOrigin(bytes: Uint8Array): string | undefined {
  try {
    return NAME_LINE.exec(utf8.decode(bytes))?.[1]
  } catch {
    return undefined
  }
}

/** Throws LEDGER_MALFORMED. */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_SIZE) throw malformed(`a note of ${bytes.length} bytes, the limit is ${MAX_NOTE_SIZE}`)
  let whole: string
  try {
    whole = utf8.decode(bytes)
  } catch {
    throw malformed('the note is not UTF-8')
  }
  if (/[\x00-\x09\x0b-\x1f]/.test(whole)) throw malformed('the note has control characters')
  const split = whole.lastIndexOf('\n\n')
  if (split < 0 || !whole.endsWith('\n')) throw malformed('the note has no signatures')
  const lines = whole.slice(split + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) throw malformed(`the note has ${lines.length} signatures, the limit is ${MAX_SIGNATURES}`)
  const signatures = lines.map((line) => {
    const [, name, base64] = SIGNATURE_LINE.exec(line) ?? []
    const signed = base64 === undefined ? undefined : base64Bytes(base64)
    if (name === undefined || signed === undefined || signed.length < 5)
      throw malformed('a signature line of the note is not one')
    return { name, keyId: hexOf(signed.subarray(0, 4)), signature: signed.subarray(4) }
  })
  return { text: whole.slice(0, split + 1), signatures }
}

/** One signature line, its newline included. */
export function signatureLine({ name, keyId }: Pick<NoteKey, 'name' | 'keyId'>, signature: Uint8Array): string {
  const id = Uint8Array.from({ length: 4 }, (_, at) => Number.parseInt(keyId.slice(at * 2, at * 2 + 2), 16))
  return `— ${name} ${base64Of(joinBytes(id, signature))}\n`
}

/** `origin`, `size`, root in base64: what a log signs. */
export function checkpointText(origin: string, size: number, root: Uint8Array): string {
  return `${origin}\n${size}\n${base64Of(root)}\n`
}

/** Throws LEDGER_MALFORMED. Signatures are parsed, not checked. */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint {
  const note = parseNote(bytes)
  const [origin = '', size = '', base64 = '', ...rest] = note.text.split('\n')
  const root = base64Bytes(base64)
  if (origin === '' || !/^(?:0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)) || root?.length !== HASH_SIZE)
    throw malformed('the note is not a checkpoint: origin, size, root')
  if (rest.slice(0, -1).some((line) => line === '')) throw malformed('the checkpoint has an empty extension line')
  return { origin, size: Number(size), root, note }
}

/** The key under which a gateway signs checkpoints of the log `name`. Undefined for keys that sign no notes. */
export function noteKeyOf(tools: Pick<VerifyTools, 'sha256'>, name: string, publicKey: Uint8Array): NoteKey | undefined {
  if (publicKey.length === ED25519_SPKI.length + 32 && sameBytes(publicKey.subarray(0, ED25519_SPKI.length), ED25519_SPKI)) {
    const raw = publicKey.subarray(ED25519_SPKI.length)
    if (!isSoundKey(raw)) return undefined
    const id = tools.sha256(joinBytes(encoder.encode(`${name}\n`), Uint8Array.of(ED25519), raw))
    return { name, keyId: hexOf(id.subarray(0, 4)), algorithm: 'Ed25519', publicKey }
  }
  // P-256 in DER has 91 bytes (RFC 5480); the id of these is that of the key alone.
  if (publicKey.length !== 91) return undefined
  return { name, keyId: hexOf(tools.sha256(publicKey).subarray(0, 4)), algorithm: 'ES256', publicKey }
}

/** `name+hash+key`: what verifiers of other makes are given. */
export function verifierKey({ name, keyId, algorithm, publicKey }: NoteKey): string {
  const key =
    algorithm === 'Ed25519'
      ? joinBytes(Uint8Array.of(ED25519), publicKey.subarray(ED25519_SPKI.length))
      : joinBytes(Uint8Array.of(ECDSA), publicKey)
  return `${name}+${keyId}+${base64Of(key)}`
}

/** Throws LEDGER_MALFORMED, also where the id is not that of the key. */
export function parseVerifierKey(tools: Pick<VerifyTools, 'sha256'>, text: string): NoteKey {
  const [, name, keyId, base64] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text.trim()) ?? []
  const key = base64 === undefined ? undefined : base64Bytes(base64)
  if (name === undefined || keyId === undefined || key === undefined) throw malformed('a verifier key is name+hash+key')
  const publicKey = key[0] === ED25519 ? joinBytes(ED25519_SPKI, key.subarray(1)) : key[0] === ECDSA ? key.subarray(1) : undefined
  const parsed = publicKey === undefined ? undefined : noteKeyOf(tools, name, publicKey)
  if (parsed?.keyId !== keyId)
    throw malformed(
      'the verifier key is of an unknown type, one that nobody needs a private key for, or its hash is not that of its key',
    )
  return parsed
}

/**
 * The keys of these that have signed the note. Signatures by others are passed over.
 * `false`: one of them has signed something else, and the note is not to be believed.
 */
export async function signersOf(
  tools: Pick<VerifyTools, 'verifyKey'>,
  { text, signatures }: Note,
  keys: readonly NoteKey[],
): Promise<NoteKey[] | false> {
  const signed: NoteKey[] = []
  const bytes = encoder.encode(text)
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((one) => one.name === name && one.keyId === keyId)
    if (key === undefined) continue
    const raw = key.algorithm === 'ES256' ? rawEcdsa(signature) : signature
    if (raw === undefined || !(await tools.verifyKey(key.publicKey, key.algorithm, bytes, raw))) return false
    signed.push(key)
  }
  return signed
}

export function noteKeysOf(tools: Pick<VerifyTools, 'sha256'>, origin: string, keys: readonly GatewayKey[]): NoteKey[] {
  return keys.flatMap(({ publicKey }) => noteKeyOf(tools, origin, publicKey) ?? [])
}

/** Notes carry ECDSA signatures in DER (SEQUENCE of two INTEGERs), the tape's are r || s. Undefined where it is no such thing. */
function rawEcdsa(der: Uint8Array): Uint8Array | undefined {
  if (der.length < 8 || der.length > 72 || der[0] !== 0x30 || der[1] !== der.length - 2) return undefined
  const raw = new Uint8Array(64)
  let at = 2
  for (const end of [32, 64]) {
    const size = der[at + 1] ?? 0
    if (der[at] !== 0x02 || size === 0 || at + 2 + size > der.length) return undefined
    let integer = der.subarray(at + 2, at + 2 + size)
    while (integer.length > 32 && integer[0] === 0) integer = integer.subarray(1)
    if (integer.length > 32) return undefined
    raw.set(integer, end - integer.length)
    at += 2 + size
  }
  return at === der.length ? raw : undefined
}

/** r || s as the DER that notes carry. */
export function derEcdsa(raw: Uint8Array): Uint8Array {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((part) => {
    let from = 0
    while (from < part.length - 1 && part[from] === 0) from += 1
    const bytes = part.subarray(from)
    const positive = (bytes[0] ?? 0) >= 0x80 ? joinBytes(Uint8Array.of(0), bytes) : bytes
    return joinBytes(Uint8Array.of(0x02, positive.length), positive)
  })
  const body = joinBytes(...integers)
  return joinBytes(Uint8Array.of(0x30, body.length), body)
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('LEDGER_MALFORMED', what)
}
