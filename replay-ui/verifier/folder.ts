import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_EXCERPT_SIZE } from '../../schemas/excerpt.ts'
import { MAX_KEYS_SIZE, parseGatewayKeys, tooLarge } from '../../schemas/gateway-keys.ts'
import { MAX_FOREIGN, VERIFY_EXITS, type Verification, worstVerdict } from '../../schemas/verification.ts'
import { LedgerCheck } from '../../schemas/verify/ledger-check.ts'
import { ObjectWindow } from '../../schemas/verify/scan.ts'
import { readHeader } from '../../schemas/verify/segment-index.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import { verifyExcerpt } from '../../schemas/verify/verify-excerpt.ts'
import { verifyTapeWith } from '../../schemas/verify/verify-tape.ts'
import { webTools } from '../data/web-tools.ts'

/** A file somebody picked, or that lies in a folder. Rejects where it cannot be read. */
export interface PickedFile {
  size(): Promise<number>
  /** Bytes [from, to) or as many of them as there are. */
  read(from: number, to: number): Promise<Uint8Array>
}

/** Files by key: `tapes/<session>/0000.tape`, `keys/gateway.pub`, and whatever else is there. */
export interface PickedFolder {
  readonly files: ReadonlyMap<string, PickedFile>
  /** A data folder with all its tapes: then its ledger tells what is missing. */
  readonly whole: boolean
  /** Folders of it that could not be looked into, by what their keys begin with, and why. */
  readonly closed?: ReadonlyMap<string, string>
}

/** A name with U+FFFD in it is not UTF-8, and so no object's: it could not even be asked for. */
export const TAPE_PART = /^tapes\/[^/\ufffd]+\/(?:\d{4}\.(?:tape|idx)|recovered-0000\.tape|salt)$/
const CLOSED_TAPE = /^tapes\/[^/\ufffd]+\/$/
const FIRST_SEGMENT = '0000.tape'
export const PUBLIC_KEYS = 'keys/gateway.pub'
/** As files are read elsewhere: a mark before the text stays, to be told of. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Files by key, of whatever folder of a store was picked or dropped; `files` by their paths from there, its own name first.
 * Where a session's folder lies in no `tapes`, its header says which session it is.
 */
export async function folderOf(files: ReadonlyMap<string, PickedFile>): Promise<PickedFolder> {
  const folder = new Map<string, PickedFile>()
  let whole = false
  const copies = new Map<string, string>()
  for (const [path, file] of files) {
    const parts = path.split('/')
    const [parent = '', name = ''] = parts.slice(-2)
    const place = Math.max(parts.indexOf('tapes'), parts.indexOf('ledger'))
    // Picked by itself, `tapes` comes without the ledger that lies beside it.
    if (place > 0) whole = true
    if (path.endsWith(`/${PUBLIC_KEYS}`)) folder.set(PUBLIC_KEYS, file)
    else if (place >= 0) folder.set(parts.slice(place).join('/'), file)
    else if (name === FIRST_SEGMENT) copies.set(path.slice(0, -FIRST_SEGMENT.length), (await sessionIn(file)) ?? parent)
  }
  for (const [path, file] of files) {
    const parent = path.slice(0, path.lastIndexOf('/') + 1)
    const session = copies.get(parent)
    if (session !== undefined) folder.set(`tapes/${session}/${path.slice(parent.length)}`, file)
  }
  return { files: folder, whole }
}

/** The session a tape's first segment says it is of; undefined where that cannot be read. */
export async function sessionIn(segment: PickedFile): Promise<string | undefined> {
  const source: ObjectSource = {
    async *list() {},
    size: () => segment.size(),
    get: async (_key, range) => segment.read(range?.from ?? 0, range?.to ?? (await segment.size())),
  }
  try {
    return (await readHeader(await ObjectWindow.open(source, webTools, FIRST_SEGMENT))).session.id
  } catch {
    return undefined
  }
}

export interface FolderOptions {
  /** Without them, keys that lie beside the tapes are used, and the result says so. */
  readonly keys?: readonly GatewayKey[] | undefined
  /** Told of every reading: how many bytes, and in which of how many tapes. */
  readonly onRead?: (bytes: number, tape: number, tapes: number) => void
  /** When the folder was copied; default: now. */
  readonly nowMs?: number | undefined
}

/** Verifies every tape in a folder. Rejects STORE_MISSING where there is none. */
export async function verifyFolder(path: string, folder: PickedFolder, options: FolderOptions = {}): Promise<Verification> {
  const { files, whole, closed = new Map<string, string>() } = folder
  const tapesClosed = closed.get('tapes/')
  if (tapesClosed !== undefined) throw new ApplianceError('STORE_FAILED', `listing of tapes/ failed: ${tapesClosed}`)
  const names = [...files.keys()].sort()
  const parts = [...names.filter((key) => TAPE_PART.test(key)), ...[...closed.keys()].filter((key) => CLOSED_TAPE.test(key))]
  const sessions = [...new Set(parts.map((key) => key.split('/')[1] ?? ''))].sort()
  const foreign = foreignAmong(names, new Set(sessions))
  const beside = options.keys === undefined ? await keysBeside(files) : []
  const gatewayKeys = options.keys ?? beside
  const tapes: Verification['tapes'][number][] = []
  const source = sourceOf({ files, closed }, names, (bytes) => options.onRead?.(bytes, tapes.length, sessions.length))
  const host = { source, tools: webTools }
  const check = whole ? await LedgerCheck.open(host, { gatewayKeys }, options.nowMs ?? Date.now()) : undefined
  for (const id of sessions) {
    const watch = check?.watch(id)
    const tape = await verifyTapeWith(host, id, { gatewayKeys }, watch?.options)
    tapes.push(check === undefined || watch === undefined ? tape : check.judge(tape, watch))
  }
  tapes.push(...(check?.missing(new Set(sessions)) ?? []))
  const ledger = check?.result() ?? null
  if (tapes.length === 0 && (ledger?.size ?? 0) === 0) throw new ApplianceError('STORE_MISSING', `${path} has no tapes`)
  const verdict = worstVerdict([...tapes.map((tape) => tape.verdict), ...(ledger === null ? [] : [ledger.verdict])])
  return {
    path,
    verdict,
    exit: VERIFY_EXITS[verdict],
    trust: gatewayKeys.length === 0 ? 'none' : options.keys === undefined ? 'beside' : 'given',
    frames: tapes.reduce((sum, { frames }) => sum + frames, 0),
    tapes,
    ledger,
    foreign: foreign.slice(0, MAX_FOREIGN),
    foreignCount: foreign.length,
  }
}

/** What is no part of a tape, down to the first folder that is none. */
function foreignAmong(names: readonly string[], sessions: ReadonlySet<string>): string[] {
  const others = names.filter((key) => /^tapes\/[^.]/.test(key) && !TAPE_PART.test(key))
  const told = new Set<string>()
  for (const key of others) {
    const parts = key.split('/').filter((part) => part !== '')
    const depth = sessions.has(parts[1] ?? '') ? 3 : 2
    if (parts.length >= depth) told.add(parts.slice(0, depth).join('/'))
  }
  return [...told].sort()
}

/** An excerpt's file, in the same words. Rejects TAPE_MALFORMED where it is too large to be one. */
export async function verifyExcerptFile(
  path: string,
  name: string,
  file: PickedFile,
  given: readonly GatewayKey[] | undefined,
  beside: PickedFolder['files'] = new Map(),
): Promise<Verification> {
  const size = await file.size()
  if (size > MAX_EXCERPT_SIZE)
    throw new ApplianceError('TAPE_MALFORMED', `${path} has ${size} bytes, an excerpt at most ${MAX_EXCERPT_SIZE}`)
  const keys = given ?? (await keysBeside(beside))
  const tape = await verifyExcerpt(webTools, await file.read(0, size), name, keys)
  const { verdict, exit, frames } = tape
  return {
    path,
    verdict,
    exit,
    trust: keys.length === 0 ? 'none' : given === undefined ? 'beside' : 'given',
    frames,
    tapes: [tape],
    ledger: null,
    foreign: [],
    foreignCount: 0,
  }
}

export async function keysBeside(folder: PickedFolder['files']): Promise<GatewayKey[]> {
  const file = folder.get(PUBLIC_KEYS)
  if (file === undefined) return []
  // In an archive, under a header that is another's, it is told of as a file that cannot be read.
  const bytes = await file.read(0, MAX_KEYS_SIZE + 1).catch((error: unknown) => {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  })
  if (bytes === undefined) return []
  if (bytes.length > MAX_KEYS_SIZE) throw new ApplianceError('CONFIG_INVALID', tooLarge(PUBLIC_KEYS))
  return parseGatewayKeys(utf8.decode(bytes), PUBLIC_KEYS)
}

export function sourceOf(
  { files, closed }: Required<Pick<PickedFolder, 'files' | 'closed'>>,
  names: readonly string[],
  onRead: (bytes: number) => void,
): ObjectSource {
  const file = (key: string): PickedFile => {
    const found = files.get(key)
    for (const [prefix, why] of found === undefined ? closed : [])
      if (key.startsWith(prefix)) throw new ApplianceError('STORE_FAILED', `reading of ${key} failed: ${why}`)
    if (found === undefined) throw new ApplianceError('STORE_MISSING', `${key} is not in the folder`)
    return found
  }
  const readable = async <T>(key: string, read: (found: PickedFile) => Promise<T>): Promise<T> => {
    const found = file(key)
    try {
      return await read(found)
    } catch (error) {
      // What an archive holds is not there as it should be: that is for the verification to say.
      if (error instanceof ApplianceError) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new ApplianceError('STORE_FAILED', `reading of ${key} failed: ${why}`, { cause: error })
    }
  }
  return {
    async *list(prefix) {
      for (const [folder, why] of closed)
        if (folder.startsWith(prefix) || prefix.startsWith(folder))
          throw new ApplianceError('STORE_FAILED', `listing of ${folder} failed: ${why}`)
      for (const key of names) if (key.startsWith(prefix)) yield key
    },
    size: (key) => readable(key, (found) => found.size()),
    get: (key, range) =>
      readable(key, async (found) => {
        const bytes = await found.read(range?.from ?? 0, range?.to ?? (await found.size()))
        onRead(bytes.length)
        return bytes
      }),
  }
}
