import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile, makeFolder } from '../../recorder/desk/exclusive-file.ts'
import { ApplianceError } from '../../schemas/errors.ts'

export const KEY_BYTES = 32

/**
 * `approval-binding`: what an approval was given for. Lost, open approvals fit nothing any more.
 * `mask-fingerprint`: names masked values across sessions. Lost, old fingerprints compare with no new ones.
 * `sign-in-flow`: seals what browsers keep while they sign in at an issuer. Lost, those who are there begin again.
 * `catalog-keys`: keys what the catalog counts masked rows by. Lost, the catalog is to be rebuilt.
 */
export type LocalKeyName = 'approval-binding' | 'mask-fingerprint' | 'sign-in-flow' | 'catalog-keys'

/** The 32-byte key of this name, made on first use (0600) and then kept; the same in every process that shares `keysDir`. */
export async function localKey(keysDir: string, name: LocalKeyName): Promise<Uint8Array> {
  const path = join(keysDir, `${name}.key`)
  await makeFolder(keysDir)
  await createFile(path, randomBytes(KEY_BYTES))
  const key = await readFile(path)
  if (key.length !== KEY_BYTES)
    throw new ApplianceError('CONFIG_INVALID', `${path} has ${key.length} bytes, not ${KEY_BYTES}: restore it from a backup`)
  return key
}
