import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { type TapeVerification, VERIFY_EXITS, type Verification, worstVerdict } from '../../schemas/verification.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { codeOf } from '../files.ts'
import type { Store } from '../store/store.ts'
import { FileStore } from '../store/store-file.ts'
import { readStoreKeys } from './published-keys.ts'
import { readGatewayKeys } from './signer-file.ts'
import { verifyTape } from './verify.ts'

export interface VerifyOptions {
  /** Without it, keys that lie beside the tapes are used, and the result says so. */
  readonly gatewayKeys?: readonly GatewayKey[]
  /** Told after each tape. */
  readonly onTape?: (tape: TapeVerification) => void
}

/**
 * Verifies what is at `path`: a tape's folder (or a file in it), or a data folder with all its tapes.
 * Rejects STORE_MISSING where there is no tape.
 */
export async function verifyPath(path: string, options: VerifyOptions = {}, signal?: AbortSignal): Promise<Verification> {
  const { root, sessions } = await locate(resolve(path))
  const beside = options.gatewayKeys === undefined ? await readGatewayKeys(join(root, 'keys')) : []
  return verifySessions({ store: new FileStore(root), sessions, path, beside }, options, signal)
}

/** Verifies the tapes of a store, or one of them. Rejects STORE_MISSING where there is none. `name` is what the result calls it. */
export async function verifyStore(
  store: Store,
  name: string,
  options: VerifyOptions & { readonly session?: string } = {},
  signal?: AbortSignal,
): Promise<Verification> {
  const sessions = new Set<string>()
  for await (const key of store.list(options.session === undefined ? 'tapes/' : tapeKeys.prefix(options.session), signal)) {
    const [, session, object] = key.split('/')
    if (session !== undefined && object !== undefined) sessions.add(session)
  }
  if (sessions.size === 0) throw new ApplianceError('STORE_MISSING', `${name} has no tapes`)
  const beside = options.gatewayKeys === undefined ? await readStoreKeys(store) : []
  return verifySessions({ store, sessions, path: name, beside }, options, signal)
}

async function verifySessions(
  parts: {
    readonly store: Store
    readonly sessions: Iterable<string>
    readonly path: string
    readonly beside: readonly GatewayKey[]
  },
  options: VerifyOptions,
  signal: AbortSignal | undefined,
): Promise<Verification> {
  const { store, sessions, path } = parts
  const gatewayKeys = options.gatewayKeys ?? parts.beside
  const tapes: TapeVerification[] = []
  for (const id of sessions) {
    const tape = await verifyTape(store, id, { gatewayKeys }, signal)
    options.onTape?.(tape)
    tapes.push(tape)
  }
  const verdict = worstVerdict(tapes.map((tape) => tape.verdict))
  return {
    path,
    verdict,
    exit: VERIFY_EXITS[verdict],
    trust: gatewayKeys.length === 0 ? 'none' : options.gatewayKeys === undefined ? 'beside' : 'given',
    frames: tapes.reduce((sum, { frames }) => sum + frames, 0),
    tapes,
  }
}

/** The data folder and the sessions meant. */
async function locate(path: string): Promise<{ readonly root: string; readonly sessions: readonly string[] }> {
  const isFile = await kindOf(path)
  if (isFile === undefined) throw new ApplianceError('STORE_MISSING', `${path} does not exist`)
  const folder = isFile ? dirname(path) : path
  const names = await readdir(folder)
  if (names.some((name) => /^(?:\d{4}|recovered-\d{4})\.tape$/.test(name))) {
    if (basename(dirname(folder)) !== 'tapes') {
      throw new ApplianceError(
        'STORE_MISSING',
        `${folder} is not in a folder named tapes; a tape is verified as tapes/<session>/`,
      )
    }
    return { root: dirname(dirname(folder)), sessions: [basename(folder)] }
  }
  const root = basename(folder) === 'tapes' ? dirname(folder) : folder
  const sessions = await readdir(join(root, 'tapes')).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') throw new ApplianceError('STORE_MISSING', `${path} has no tapes`)
    throw error
  })
  const kept = sessions.filter((name) => !name.startsWith('.')).sort()
  if (kept.length === 0) throw new ApplianceError('STORE_MISSING', `${path} has no tapes`)
  return { root, sessions: kept }
}

/** true: a file; false: a folder; undefined: neither. */
async function kindOf(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
