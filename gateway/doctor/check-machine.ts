import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import { readGatewayKeys } from '../../recorder/index.ts'
import { lookAtSpools } from '../../recorder/tape/spool-folder.ts'
import type { Settings, TargetSettings } from '../config.ts'
import { mayRepeat, repeatable } from '../credentials/repeatable.ts'
import { readCredential } from '../credentials/upstream.ts'
import { isMetadata } from '../hosts.ts'
import { knownSecret } from '../masking/known-secret.ts'
import { placesIn } from '../places.ts'
import { type Check, checked } from './check.ts'

/** The spool's files at their most (16 of 64 MiB) and the reserve. */
const SPOOL_WANTED_SIZE = 1.1 * 2 ** 30
/** One file and the reserve: less, and nothing can be recorded. */
const SPOOL_NEEDED_SIZE = 80 * 2 ** 20
/** statfs(2): NFS, CIFS, SMB2. Locks and syncs there are not what the spool needs. */
const NETWORK_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x6969, 0xff534d42, 0xfe534d42])
const CONNECT_TIMEOUT_MS = 5_000
/** A vault nearby takes tens of milliseconds. */
const SLOW_SIGN_MS = 1_000
const DAY_MS = 86_400_000
/** Whoever renews by hand wants to hear of it a month before. */
const SOON_DAYS = 30

/** Whether the gateway's key signs, and what it signs is believed by its public half. */
export function checkSigner({ signer, dataDir, gateway }: Pick<Settings, 'signer' | 'dataDir' | 'gateway'>): Promise<Check> {
  return checked(
    'signing key',
    async () => {
      if (signer === undefined) {
        const keys = await readGatewayKeys(placesIn(dataDir).keys)
        if (keys.length === 0)
          return {
            status: 'warning',
            seen: 'none yet: the first start makes a file',
            cure: 'in Azure, use signer.keyVault: a file dies with its machine',
          }
        return { status: 'ok', seen: `a file in ${placesIn(dataDir).keys}` }
      }
      const { openVaultSigner } = await import('../../recorder/tape/signer-vault.ts')
      const opened = await openVaultSigner(signer, gateway)
      const bytes = randomBytes(32)
      const start = performance.now()
      const signature = await opened.sign(bytes)
      const ms = Math.round(performance.now() - start)
      const key = createPublicKey({ key: Buffer.from(opened.publicKey), format: 'der', type: 'spki' })
      if (!verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature))
        return { status: 'failed', seen: 'the signature does not fit the public key' }
      const seen = `${signer.key} in ${signer.url} signs ${opened.algorithm}, in ${ms} ms`
      const days = opened.expiresMs === undefined ? undefined : Math.floor((opened.expiresMs - Date.now()) / DAY_MS)
      if (days !== undefined && days < SOON_DAYS)
        return {
          status: 'warning',
          seen: `${seen}, for ${days} more days`,
          cure: 'make a new version and restart: no session opens once it has expired',
        }
      if (ms > SLOW_SIGN_MS)
        return { status: 'warning', seen, cure: 'every session waits for it as it opens: is the vault in this region?' }
      return { status: 'ok', seen }
    },
    'the identity needs Key Vault Crypto User on the key (get, sign), which is enabled and in its time; the vault has to be reached from here',
  )
}

/** Whether targets can be reached and logged in to with something; nobody logs in. */
export async function checkTargets({ targets }: Pick<Settings, 'targets'>, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  return Promise.all([...targets.values()].map((target) => checkTarget(target, env)))
}

function checkTarget({ target, credential }: TargetSettings, env: NodeJS.ProcessEnv): Promise<Check> {
  return checked(`target ${target.name}`, async () => {
    const own = await readCredential(credential, env).catch((error: unknown) => {
      throw error instanceof Error && error.cause instanceof Error ? error.cause : error
    })
    const { password, privateKey, certificate, tls } = own
    const where = target.host.startsWith('/') ? target.host : `${target.host}:${target.port}`
    const address = await reach(target.host, target.port)
    if (isMetadata(address))
      return { status: 'failed', seen: `${where} is ${address}, which hands out the platform's identities` }
    const bare = password === undefined && privateKey === undefined && certificate === undefined
    const [repeated] = mayRepeat(target.protocol, credential) ? repeatable(own) : []
    if (repeated !== undefined && knownSecret(repeated) === undefined)
      return {
        status: 'warning',
        seen: `${where} answers; its credential is too short to be told from other text`,
        cure: 'a target that repeats it would show it: take a longer one',
      }
    // With SSH a host key takes the place of TLS.
    const untried = [...(target.protocol === 'ssh' || tls.mode === 'off' ? [] : [`TLS (${tls.mode})`]), 'the login']
    return {
      status: 'ok',
      seen: `${where} answers, ${bare ? 'no secret is configured' : 'the credential can be read'}; not tried: ${untried.join(', ')}`,
    }
  })
}

/** The address that answered. */
function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = host.startsWith('/')
      ? createConnection({ path: `${host}/.s.PGSQL.${port}` })
      : createConnection({ host, port })
    const done = (finish: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      finish()
    }
    const timer = setTimeout(
      () => done(() => reject(new Error(`${host}:${port} did not answer within ${CONNECT_TIMEOUT_MS} ms`))),
      CONNECT_TIMEOUT_MS,
    )
    socket.once('connect', () => {
      const address = socket.remoteAddress ?? ''
      done(() => resolve(address))
    })
    socket.once('error', (error) => done(() => reject(error)))
  })
}

/** Whether there is room for what is recorded and not yet in the store, on a disk that keeps its word. */
export function checkSpool({ dataDir }: Pick<Settings, 'dataDir'>): Promise<Check> {
  return checked('spool', async () => {
    const folder = await existing(placesIn(dataDir).spool)
    const { bavail, bsize, type } = await statfs(folder)
    const free = bavail * bsize
    const seen = `${Math.round(free / 2 ** 20)} MiB free for ${placesIn(dataDir).spool}`
    if (NETWORK_FILE_SYSTEMS.has(type))
      return { status: 'failed', seen: `${seen}, on a network file system`, cure: 'put dataDir on a local disk (EmptyDir)' }
    if (free < SPOOL_NEEDED_SIZE) return { status: 'failed', seen, cure: 'nothing can be recorded: make room' }
    if (free < SPOOL_WANTED_SIZE)
      return { status: 'warning', seen, cure: 'sessions wait once it is full: 1.1 GiB hold the spool at its largest' }
    if (folder !== placesIn(dataDir).spool) return { status: 'ok', seen }
    const { kept, foreign } = await lookAtSpools(folder)
    if (kept.length > 0)
      return {
        status: 'warning',
        seen: `${seen}; kept as evidence: ${kept.join(', ')}`,
        cure: 'frames were accepted that are on no tape: copy these folders out as evidence (runbook "A spool is kept"), then remove them',
      }
    if (foreign.length > 0)
      return {
        status: 'warning',
        seen: `${seen}; no spools: ${foreign.join(', ')}`,
        cure: 'move them elsewhere; they are left alone',
      }
    return { status: 'ok', seen }
  })
}

/** The folder, or the nearest above it that is there. */
async function existing(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await statfs(at)
      return at
    } catch (error) {
      if (dirname(at) === at) throw error
    }
  }
}
