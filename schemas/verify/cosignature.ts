import { base64Bytes, base64Of, hexOf, joinBytes, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { isSoundKey } from './ed25519.ts'
import { type Note, signatureLine } from './note.ts'
import type { VerifyTools } from './tools.ts'

// Cosignatures of witnesses as C2SP has them: c2sp.org/tlog-cosignature, the Ed25519 kind.

/** Signature type of such a key in notes and verifier keys. */
const COSIGNATURE = 0x04
const KEY_SIZE = 32
const SIGNATURE_SIZE = 64
const TIME_SIZE = 8
/** SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 section 4). */
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)

const encoder = new TextEncoder()

/** Who cosigns: `audit.example/witness`, and an Ed25519 key used for nothing else. */
export interface WitnessKey {
  readonly name: string
  /** u32, as 8 hex digits. */
  readonly keyId: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

export function witnessKeyOf(tools: Pick<VerifyTools, 'sha256'>, name: string, publicKey: Uint8Array): WitnessKey {
  if (publicKey.length !== SPKI.length + KEY_SIZE || !sameBytes(publicKey.subarray(0, SPKI.length), SPKI))
    throw new ApplianceError('LEDGER_MALFORMED', 'a witness has an Ed25519 key')
  if (!isSoundKey(publicKey.subarray(SPKI.length)))
    throw new ApplianceError('LEDGER_MALFORMED', 'the key of a witness is one that nobody needs a private key for')
  const id = tools.sha256(joinBytes(encoder.encode(`${name}\n`), Uint8Array.of(COSIGNATURE), publicKey.subarray(SPKI.length)))
  return { name, keyId: hexOf(id.subarray(0, 4)), publicKey }
}

/** `name+hash+key`, as policies and gateways are given it. */
export function witnessVerifierKey({ name, keyId, publicKey }: WitnessKey): string {
  return `${name}+${keyId}+${base64Of(joinBytes(Uint8Array.of(COSIGNATURE), publicKey.subarray(SPKI.length)))}`
}

/** Throws LEDGER_MALFORMED, also where the id is not that of the key. */
export function parseWitnessKey(tools: Pick<VerifyTools, 'sha256'>, text: string): WitnessKey {
  const [, name, keyId, base64] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text) ?? []
  const key = base64 === undefined ? undefined : base64Bytes(base64)
  if (name === undefined || key === undefined || key.length !== KEY_SIZE + 1 || key[0] !== COSIGNATURE)
    throw new ApplianceError('LEDGER_MALFORMED', 'a witness key is name+hash+key, of the cosignature type (Ed25519)')
  const parsed = witnessKeyOf(tools, name, joinBytes(SPKI, key.subarray(1)))
  if (parsed.keyId !== keyId)
    throw new ApplianceError('LEDGER_MALFORMED', `the hash of the witness key of ${name} is not that of its key`)
  return parsed
}

/** What a witness signs: that at this time it had seen no larger tree of the log than this one, and every smaller one in it. */
export function cosignedBytes(timeS: number, checkpointText: string): Uint8Array {
  return encoder.encode(`cosignature/v1\ntime ${timeS}\n${checkpointText}`)
}

/** One signature line, its newline included. */
export function cosignatureLine(key: WitnessKey, timeS: number, signature: Uint8Array): string {
  const time = new Uint8Array(TIME_SIZE)
  new DataView(time.buffer).setBigUint64(0, BigInt(timeS))
  return signatureLine(key, joinBytes(time, signature))
}

/** When the witness has cosigned the note, in seconds; undefined where it has not, or not this. */
export async function cosignedAt(
  tools: Pick<VerifyTools, 'verifyKey'>,
  { text, signatures }: Note,
  key: WitnessKey,
): Promise<number | undefined> {
  for (const { name, keyId, signature } of signatures) {
    if (name !== key.name || keyId !== key.keyId || signature.length !== TIME_SIZE + SIGNATURE_SIZE) continue
    const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
    if (time > BigInt(Number.MAX_SAFE_INTEGER)) continue
    const timeS = Number(time)
    if (await tools.verifyKey(key.publicKey, 'Ed25519', cosignedBytes(timeS, text), signature.subarray(TIME_SIZE))) return timeS
  }
  return undefined
}
