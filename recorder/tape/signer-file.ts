import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_KEYS_SIZE, parseGatewayKeys, tooLarge } from '../../schemas/gateway-keys.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { codeOf, readAtMost, syncFolder } from '../files.ts'
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
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== 'ed25519')
    throw new ApplianceError('CONFIG_INVALID', `${path} holds a ${key.asymmetricKeyType} key, not Ed25519`)
  return key
}

async function makeKey(folder: string, path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const temporary = join(folder, `.gateway.key-${process.pid}`)
  await write(temporary, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 'w')
  try {
    await link(temporary, path)
    await syncFolder(folder)
    return privateKey
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    const made = await readKey(path)
    if (made === undefined) throw error
    return made
  } finally {
    await unlink(temporary)
  }
}

/** Adds the key's line to the folder's `gateway.pub` where it is missing: a gateway's old keys stay, they vouch for old tapes. */
export async function publishBeside(folder: string, { gateway, publicKey }: GatewayKey): Promise<void> {
  const line = `${gateway} ${Buffer.from(publicKey).toString('base64')}\n`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, PUBLIC_FILE)
  const present = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  if (present.split('\n').includes(line.trim())) return
  await write(path, line, 'a')
  await chmod(path, 0o644)
}

async function write(path: string, text: string, flags: 'w' | 'a'): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
