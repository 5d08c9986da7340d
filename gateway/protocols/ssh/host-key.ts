import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile, makeFolder } from '../../../recorder/desk/exclusive-file.ts'
import { codeOf } from '../../../recorder/files.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { utils } from './library.ts'

const KEY_FILE = 'ssh_host_ed25519_key'

/**
 * The configured host keys, or else one of our own, made on the first start and kept in `keysDir`, its public half beside it for
 * `known_hosts`. Rejects CONFIG_INVALID for a file that holds no private key.
 */
export async function hostKeys(
  files: readonly string[] | undefined,
  own: { readonly keysDir: string; readonly gateway: string },
): Promise<string[]> {
  const keys = files === undefined ? [await ownKey(own)] : await Promise.all(files.map((file) => readFile(file, 'utf8')))
  for (const [index, key] of keys.entries()) {
    const parsed = utils.parseKey(key)
    if (parsed instanceof Error || !parsed.isPrivateKey()) {
      const where = files?.[index] ?? join(own.keysDir, KEY_FILE)
      throw new ApplianceError('CONFIG_INVALID', `${where}: no private host key that can be used (OpenSSH format, no passphrase)`)
    }
  }
  return keys
}

async function ownKey({ keysDir, gateway }: { readonly keysDir: string; readonly gateway: string }): Promise<string> {
  const path = join(keysDir, KEY_FILE)
  await makeFolder(keysDir)
  const kept = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (kept === undefined) {
    // Of two processes that start at once one makes it, and both read what stands there then.
    await createFile(path, newKey(`sallyport ${gateway}`))
  }
  const key = kept ?? (await readFile(path, 'utf8'))
  const parsed = utils.parseKey(key)
  if (!(parsed instanceof Error))
    await createFile(`${path}.pub`, `${parsed.type} ${parsed.getPublicSSH().toString('base64')} sallyport ${gateway}\n`)
  return key
}

/** One in a few hundred of those the library (ssh2 1.17) makes is none it can read. */
export function newKey(comment: string): string {
  for (;;) {
    const { private: key } = utils.generateKeyPairSync('ed25519', { comment })
    if (!(utils.parseKey(key) instanceof Error)) return key
  }
}
