import { lstat, readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { EXCERPT_HEAD_SIZE, isExcerptFile, MAX_EXCERPT_SIZE } from '../../schemas/excerpt.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { MAX_FOREIGN, type TapeVerification, VERIFY_EXITS, type Verification, worstVerdict } from '../../schemas/verification.ts'
import { LedgerCheck } from '../../schemas/verify/ledger-check.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import { verifyExcerpt } from '../../schemas/verify/verify-excerpt.ts'
import { codeOf, headOf, kindOf, readAtMost } from '../files.ts'
import { checkTrust, judgeTrust, type TrustRules } from '../ledger/trust.ts'
import type { MarkedSource, Store } from '../store/store.ts'
import { FileStore } from '../store/store-file.ts'
import { isPlain, PlainFolder } from './plain-folder.ts'
import { readFolderKeys, readStoreKeys } from './published-keys.ts'
import { isTapeFolder, TapeFolder, tapeFoldersIn } from './tape-folder.ts'
import { isTapePart } from './tape-parts.ts'
import { nodeTools } from './tools.ts'
import { verifyTape } from './verify.ts'

export interface VerifyPathOptions {
  /** Without it, keys that lie beside the tapes are used, and the result says so. */
  readonly gatewayKeys?: readonly GatewayKey[]
  /** Told after each tape. */
  readonly onTape?: (tape: TapeVerification) => void
  /** Told of every reading: how many bytes, and in which of how many tapes. */
  readonly onRead?: (bytes: number, tape: number, tapes: number) => void
  /** The time of the verification; default: now. */
  readonly nowMs?: number
  /** Whose word there must be for what the ledger says. */
  readonly policy?: TrustRules
}

/**
 * Verifies what is at `path`: a tape's folder (or a file in it) wherever it was copied to, a folder of such folders, or a data
 * folder with its ledger and all its tapes. Rejects STORE_MISSING where there is no tape.
 */
export async function verifyPath(path: string, options: VerifyPathOptions = {}, signal?: AbortSignal): Promise<Verification> {
  // What cannot be read is told by whoever reads on.
  const head = await headOf(resolve(path), EXCERPT_HEAD_SIZE).catch(() => new Uint8Array(0))
  if (isExcerptFile(path, head)) return verifyExcerptAt(path, options)
  const { keys, ...there } = await locate(resolve(path))
  const beside = options.gatewayKeys === undefined ? await firstKeys(keys) : []
  return verifyTapes({ ...there, path, beside }, options, signal)
}

/** Keys may lie beside it, as beside a copied tape. */
async function verifyExcerptAt(path: string, options: VerifyPathOptions): Promise<Verification> {
  const at = resolve(path)
  if ((await kindOf(at)) === undefined) throw new ApplianceError('STORE_MISSING', `${path} does not exist`)
  const bytes = await readAtMost(at, MAX_EXCERPT_SIZE)
  if (bytes === undefined)
    throw new ApplianceError('TAPE_MALFORMED', `${path} has more than ${MAX_EXCERPT_SIZE} bytes, which no excerpt has`)
  const beside = options.gatewayKeys === undefined ? await firstKeys([dirname(at)]) : []
  const gatewayKeys = options.gatewayKeys ?? beside
  const excerpt = await verifyExcerpt(nodeTools, bytes, basename(at), gatewayKeys)
  const trust = options.policy && (await judgeTrust(undefined, undefined, options.policy))
  const tape = trust === undefined ? excerpt : checkTrust(excerpt, undefined, trust)
  options.onTape?.(tape)
  const parts = { path, tapes: [tape], ledger: null, foreign: [], gatewayKeys }
  return verificationOf({ ...parts, ...(trust === undefined ? {} : { policy: trust }) }, options)
}

/** Verifies a store with its ledger and all its tapes, or one of them by itself. Rejects STORE_MISSING where there is none. `name` is what the result calls it. */
export async function verifyStore(
  store: Store,
  name: string,
  options: VerifyPathOptions & { readonly session?: string } = {},
  signal?: AbortSignal,
): Promise<Verification> {
  const sessions = new Set<string>()
  const foreign: string[] = []
  for await (const key of store.list(options.session === undefined ? 'tapes/' : tapeKeys.prefix(options.session), signal)) {
    const [, session, object, ...more] = key.split('/')
    if (
      session !== undefined &&
      object !== undefined &&
      more.length === 0 &&
      isTapePart(object) &&
      !session.includes(UNREADABLE_NAME)
    )
      sessions.add(session)
    else foreign.push(key)
  }
  const beside = options.gatewayKeys === undefined ? await readStoreKeys(store) : []
  const tapes = [...sessions].map((id) => ({ source: store, id }))
  const whole = options.session === undefined ? { whole: store } : {}
  // As in a folder: down to the first that is none of a session's.
  const folders = foreign.map((key) => key.split('/').slice(0, sessions.has(key.split('/')[1] ?? '') ? 3 : 2))
  const others = [...new Set(folders.map((parts) => parts.join('/')))]
  return verifyTapes({ tapes, foreign: others, path: name, beside, ...whole }, options, signal)
}

/** One tape, and where its objects are read. */
interface Place {
  readonly source: ObjectSource
  readonly id: string
}

async function verifyTapes(
  parts: Omit<Places, 'keys'> & { readonly path: string; readonly beside: readonly GatewayKey[] },
  options: VerifyPathOptions,
  signal: AbortSignal | undefined,
): Promise<Verification> {
  const { path, foreign, whole } = parts
  const gatewayKeys = options.gatewayKeys ?? parts.beside
  const tapes: TapeVerification[] = []
  const onRead = (bytes: number): void => options.onRead?.(bytes, tapes.length, parts.tapes.length)
  const host = whole === undefined ? undefined : { source: watched(whole, onRead), tools: nodeTools }
  const check =
    host === undefined ? undefined : await LedgerCheck.open(host, { gatewayKeys }, options.nowMs ?? Date.now(), signal)
  const trust = options.policy === undefined ? undefined : await judgeTrust(whole, check?.ledger, options.policy)
  const tell = (verified: TapeVerification): void => {
    const tape = trust === undefined ? verified : checkTrust(verified, check?.ledger, trust)
    options.onTape?.(tape)
    tapes.push(tape)
  }
  for (const { source, id } of parts.tapes) {
    const watch = check?.watch(id)
    const how = { ...watch?.options, ...(signal === undefined ? {} : { signal }) }
    const tape = await verifyTape(watched(source, onRead), id, { gatewayKeys }, how)
    tell(check === undefined || watch === undefined ? tape : check.judge(tape, watch))
  }
  for (const tape of check?.missing(new Set(parts.tapes.map(({ id }) => id))) ?? []) tell(tape)
  const ledger = check?.result() ?? null
  if (tapes.length === 0 && (ledger?.size ?? 0) === 0) throw new ApplianceError('STORE_MISSING', `${path} has no tapes`)
  return verificationOf({ path, tapes, ledger, foreign, gatewayKeys, ...(trust === undefined ? {} : { policy: trust }) }, options)
}

function verificationOf(
  parts: Pick<Verification, 'path' | 'tapes' | 'ledger' | 'foreign' | 'policy'> & { readonly gatewayKeys: readonly GatewayKey[] },
  options: VerifyPathOptions,
): Verification {
  const { path, tapes, ledger, foreign, gatewayKeys, policy } = parts
  const verdict = worstVerdict([
    ...tapes.map((tape) => tape.verdict),
    ...(ledger === null ? [] : [ledger.verdict]),
    ...(policy === undefined ? [] : [policy.verdict]),
  ])
  return {
    path,
    verdict,
    exit: VERIFY_EXITS[verdict],
    trust: gatewayKeys.length === 0 ? 'none' : options.gatewayKeys === undefined ? 'beside' : 'given',
    frames: tapes.reduce((sum, { frames }) => sum + frames, 0),
    tapes,
    ledger,
    ...(policy === undefined ? {} : { policy }),
    foreign: foreign.slice(0, MAX_FOREIGN),
    foreignCount: foreign.length,
  }
}

/** A source, with an ear on how much is read from it. */
function watched(source: ObjectSource, onRead: (bytes: number) => void): ObjectSource {
  return {
    list: (prefix, signal) => source.list(prefix, signal),
    size: (key, signal) => source.size(key, signal),
    async get(key, range, signal) {
      const bytes = await source.get(key, range, signal)
      onRead(bytes.length)
      return bytes
    },
  }
}

interface Places {
  /** The store of which these are all tapes. */
  readonly whole?: MarkedSource
  readonly tapes: readonly Place[]
  /** Folders that the gateway's public keys may lie in a folder of, the likeliest first. */
  readonly keys: readonly string[]
  /** Keys of what stands among the tapes and is no part of any. */
  readonly foreign: readonly string[]
}

async function locate(path: string): Promise<Places> {
  const kind = await kindOf(path)
  if (kind === undefined) throw new ApplianceError('STORE_MISSING', `${path} does not exist`)
  if (kind === 'other') throw new ApplianceError('STORE_MISSING', `${path} is neither a file nor a folder`)
  const isFile = kind === 'file'
  const folder = isFile ? dirname(path) : path
  const parent = dirname(folder)
  const isTape = await isTapeFolder(folder)
  // What lies beside it is not what was asked about.
  if (isFile && !isTape) throw new ApplianceError('STORE_MISSING', `${path} is no part of a tape, no excerpt and no bundle`)
  if (isTape) {
    // Where the gateway put it, its place says whose it is, and must be right; anywhere else only its header does.
    if (basename(parent) === 'tapes') return stored(dirname(parent), [basename(folder)])
    return copied([folder], [folder, parent])
  }
  const root = basename(folder) === 'tapes' ? parent : folder
  const tapes = join(root, 'tapes')
  const listed = (await isPlain(tapes)) ? readdir(tapes) : Promise.resolve([])
  const names = await listed.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw new ApplianceError(
      'STORE_FAILED',
      `listing of tapes/ failed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  })
  const kept = await stored(root, names.filter((name) => !name.startsWith('.')).sort())
  // Of tapes that were all removed the ledger still tells.
  if (kept.tapes.length > 0 || (await hasSequence(root))) return { ...kept, whole: new PlainFolder(root) }
  const folders = await tapeFoldersIn(folder)
  if (folders.length === 0) throw new ApplianceError('STORE_MISSING', `${path} has no tapes`)
  return copied(folders, [folder, parent])
}

async function hasSequence(root: string): Promise<boolean> {
  const [ledger, sequence] = [join(root, 'ledger'), join(root, 'ledger', 'seq')]
  return (await isPlain(ledger)) && (await isPlain(sequence)) && (await kindOf(sequence)) === 'folder'
}

/** In the name of what is not UTF-8, and so no object's: it could not even be asked for. */
const UNREADABLE_NAME = '\ufffd'

/** Those of `names` that are sessions; the others are foreign. */
async function stored(root: string, names: readonly string[]): Promise<Places> {
  const source = new FileStore(root)
  const [tapes, foreign]: [Place[], string[]] = [[], []]
  for (const id of new Set(names)) {
    if (id.includes(UNREADABLE_NAME)) {
      foreign.push(`tapes/${id}`)
      continue
    }
    const parts = await partsOf(join(root, 'tapes', id))
    if (parts === undefined || parts.files.some(isTapePart)) tapes.push({ source, id })
    if (parts !== undefined) foreign.push(...(parts.files.some(isTapePart) ? foreignIn(id, parts) : [`tapes/${id}`]))
  }
  return { tapes, keys: [root], foreign }
}

async function copied(folders: readonly string[], around: readonly string[]): Promise<Places> {
  const sources: TapeFolder[] = []
  // One after the other: there may be more of them than a process may have files open.
  for (const folder of folders) sources.push(await TapeFolder.open(folder))
  return {
    tapes: sources.map((source) => ({ source, id: source.session })),
    keys: around,
    foreign: [],
  }
}

async function firstKeys(folders: readonly string[]): Promise<readonly GatewayKey[]> {
  for (const folder of folders) {
    const keys = await readFolderKeys(folder)
    if (keys.length > 0) return keys
  }
  return []
}

/** Regular files in a session's folder and whatever else is there; none for what is no folder, a link to one included; undefined where it cannot be looked into. */
async function partsOf(folder: string): Promise<Parts | undefined> {
  try {
    if (!(await lstat(folder)).isDirectory()) return { files: [], others: [] }
    const entries = await readdir(folder, { withFileTypes: true })
    const names = (files: boolean): string[] => entries.filter((one) => one.isFile() === files).map(({ name }) => name)
    return { files: names(true), others: names(false) }
  } catch {
    return undefined
  }
}

interface Parts {
  readonly files: readonly string[]
  /** Folders, links, pipes: never a part of a tape, whatever they are called. */
  readonly others: readonly string[]
}

function foreignIn(session: string, { files, others }: Parts): string[] {
  return [...new Set([...files.filter((name) => !isTapePart(name)), ...others])]
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => `tapes/${session}/${name}`)
}
