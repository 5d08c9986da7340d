import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const IV_SIZE = 12
const TAG_SIZE = 16
/** A cookie's 4 KiB, less its name and attributes. */
const MAX_SEALED_LENGTH = 3_500

/**
 * What somebody else keeps for us: AES-256-GCM, base64url of iv, tag and text. `use` is bound into it, so that what was sealed for
 * one use opens for no other.
 */
export function seal(key: Uint8Array, use: string, value: Readonly<Record<string, string>>, untilMs: number): string {
  const iv = randomBytes(IV_SIZE)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(use))
  const text = Buffer.concat([cipher.update(JSON.stringify({ value, untilMs })), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')
}

/** Undefined for what was not sealed by this key for this use, or is too old. */
export function unseal(
  key: Uint8Array,
  use: string,
  sealed: string,
  nowMs: number,
): Readonly<Record<string, string>> | undefined {
  if (sealed.length > MAX_SEALED_LENGTH) return undefined
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < IV_SIZE + TAG_SIZE) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_SIZE), { authTagLength: TAG_SIZE })
      .setAAD(Buffer.from(use))
      .setAuthTag(bytes.subarray(IV_SIZE, IV_SIZE + TAG_SIZE))
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_SIZE + TAG_SIZE)), decipher.final()]).toString('utf8')
    // Sealed by ourselves, so of this shape.
    const { value, untilMs } = JSON.parse(text) as { value: Record<string, string>; untilMs: number }
    return nowMs < untilMs ? value : undefined
  } catch {
    return undefined
  }
}
