import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_KEYS_SIZE, parseGatewayKeys, tooLarge } from '../../schemas/gateway-keys.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { codeOf, readAtMost, syncFolder } from '../files.ts'
import { FileLock } from '../store/file-lock.ts'
import type { GatewaySigner } from './signer.ts'

const PRIVATE_FILE = 'gateway.key'
const PUBLIC_FILE = 'gateway.pub'

/**
 * The gateway's Ed25519 key in a folder, made on first use: `gateway.key` (PKCS #8 PEM, mode 0600) and `gateway.pub`
 * (one line: the gateway's name, a space, SPKI in base64). Several processes may come at once: one makes it, all use it.
 */
export async function openFileSigner(folder: string, gateway: string): Promise<GatewaySigner> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, PRIVATE_FILE)
  const key = (await readKey(path)) ?? (await makeKey(folder, path))
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' })
  await publishBeside(folder, { gateway, publicKey })
  return {
    gateway,
    algorithm: 'Ed25519',
    publicKey,
    sign: async (bytes) => sign(null, bytes, key),
  }
}

export async function readGatewayKeys(folder: string): Promise<GatewayKey[]> {
  const path = join(folder, PUBLIC_FILE)
  try {
    return await readKeyFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}

/** The keys in one file. Rejects CONFIG_INVALID for what is no such file, and as reading does. */
export async function readKeyFile(path: string): Promise<GatewayKey[]> {
  const bytes = await readAtMost(path, MAX_KEYS_SIZE)
  if (bytes === undefined) throw new ApplianceError('CONFIG_INVALID', tooLarge(path))
  return parseGatewayKeys(bytes.toString(), path)
}

async function readKey(path: string): Promise<KeyObject | undefined> {
  let pem: Buffer
  try {
    pem = await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const key = parsed(pem, path)
  if (key.asymmetricKeyType !== 'ed25519')
    throw new ApplianceError('CONFIG_INVALID', `${path} holds a ${key.asymmetricKeyType} key, not Ed25519`)
  return key
}

/** Never made anew in its place: whoever trusts the old one would find nothing said about the other. */
function parsed(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `${path} is no private key (PKCS #8 PEM), or damaged: put back a copy of it, or move it away for a new one`,
      { cause },
    )
  }
}

async function makeKey(folder: string, path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519')
  // Two containers may share the folder, and in both the process has the same number.
  const temporary = join(folder, `.gateway.key-${randomBytes(12).toString('hex')}`)
  try {
    await write(temporary, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 0o600)
    await link(temporary, path)
    await syncFolder(folder)
    return privateKey
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    const made = await readKey(path)
    if (made === undefined) throw error
    return made
  } finally {
    await rm(temporary, { force: true })
  }
}

/**
 * Adds the key's line to the folder's `gateway.pub` where it is missing: a gateway's old keys stay, they vouch for old tapes. The file is whole
 * at any moment, whenever a process dies or the disk is full; of several that add to it one waits for the other.
 */
export async function publishBeside(folder: string, { gateway, publicKey }: GatewayKey): Promise<void> {
  const line = `${gateway} ${Buffer.from(publicKey).toString('base64')}`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, PUBLIC_FILE)
  if ((await linesOf(path)).includes(line)) return
  const lock = await FileLock.take(path, PUBLIC_FILE)
  const temporary = `${path}.next`
  try {
    const lines = await linesOf(path)
    if (lines.includes(line)) return
    await write(temporary, `${[...lines, line].join('\n')}\n`, 0o644)
    await rename(temporary, path)
    await syncFolder(folder)
  } finally {
    await rm(temporary, { force: true })
    await lock.release()
  }
}

/** A last line without its end may be one that was cut while it was written; it is kept as a comment where it is no key. */
async function linesOf(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  return last === '' ? lines : [...lines, isKeyLine(last, path) ? last : `# cut: ${last}`]
}

function isKeyLine(line: string, path: string): boolean {
  try {
    parseGatewayKeys(line, path)
    return true
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'CONFIG_INVALID') return false
    throw error
  }
}

async function write(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'w', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
