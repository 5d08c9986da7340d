import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_KEYS_SIZE, tooLarge } from '../../schemas/gateway-keys.ts'
import { type PickedFile, type PickedFolder, PUBLIC_KEYS, sessionIn, TAPE_PART } from './folder.ts'

/** What is used of Node, which this page has no types of: the same file runs in browsers. */
interface NodeFiles {
  stat(path: string): Promise<{ readonly size: number; isFile(): boolean }>
  lstat(path: string): Promise<{ isSymbolicLink(): boolean; isFile(): boolean }>
  readdir(path: string, options: { readonly withFileTypes: true }): Promise<readonly NodeEntry[]>
  open(path: string, flags: 'r'): Promise<NodeFile>
}

interface NodeEntry {
  readonly name: string
  isFile(): boolean
  isDirectory(): boolean
}

interface NodeFile {
  read(bytes: Uint8Array, offset: number, length: number, position: number | null): Promise<{ readonly bytesRead: number }>
  close(): Promise<void>
}

interface NodePaths {
  resolve(...parts: string[]): string
  join(...parts: string[]): string
  dirname(path: string): string
  basename(path: string): string
}

/** Node 20.16 and later. */
export interface NodeProcess {
  readonly argv: readonly string[]
  readonly stdout: { write(text: string): void }
  readonly stderr: { write(text: string): void; readonly isTTY?: boolean }
  readonly stdin: AsyncIterable<Uint8Array>
  exitCode: number | undefined
  getBuiltinModule(name: 'node:fs/promises'): NodeFiles
  getBuiltinModule(name: 'node:path'): NodePaths
}

/** A file of keys, or what comes out of a pipe. Rejects CONFIG_INVALID where that is more than one has, of which no more is read. */
export async function readText(process: NodeProcess, path: string): Promise<string> {
  const file = await process.getBuiltinModule('node:fs/promises').open(path, 'r')
  try {
    const bytes = new Uint8Array(MAX_KEYS_SIZE + 1)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null)
      if (bytesRead === 0) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, filled))
      filled += bytesRead
    }
    throw new ApplianceError('CONFIG_INVALID', tooLarge(path))
  } finally {
    await file.close()
  }
}

/** An excerpt's file, and by its key the file of keys beside it: neither a link nor behind one. */
export async function excerptAt(
  process: NodeProcess,
  path: string,
): Promise<{ readonly name: string; readonly file: PickedFile; readonly beside: ReadonlyMap<string, PickedFile> }> {
  const files = process.getBuiltinModule('node:fs/promises')
  const { resolve, join, dirname, basename } = process.getBuiltinModule('node:path')
  const at = resolve(path)
  const beside = new Map<string, PickedFile>()
  const keys = join(dirname(at), PUBLIC_KEYS)
  const isThere = await Promise.all([files.lstat(dirname(keys)), files.lstat(keys)]).then(
    ([folder, found]) => !folder.isSymbolicLink() && found.isFile(),
    () => false,
  )
  if (isThere) beside.set(PUBLIC_KEYS, fileAt(files, keys))
  return { name: basename(path), file: fileAt(files, at), beside }
}

/** One file. */
export function pickedAt(process: NodeProcess, path: string): PickedFile {
  return fileAt(process.getBuiltinModule('node:fs/promises'), process.getBuiltinModule('node:path').resolve(path))
}

export async function isFileAt(process: NodeProcess, path: string): Promise<boolean> {
  const at = process.getBuiltinModule('node:path').resolve(path)
  return process
    .getBuiltinModule('node:fs/promises')
    .stat(at)
    .then(
      (found) => found.isFile(),
      () => false,
    )
}

/** Whether any of these is there, whatever it is. */
export async function isAnyThere(process: NodeProcess, paths: readonly string[]): Promise<boolean> {
  const files = process.getBuiltinModule('node:fs/promises')
  for (const path of paths) {
    const found = await files.lstat(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
    if (found !== undefined) return true
  }
  return false
}

/** Everything in a folder, by its path from there; undefined where it is no folder. Of a link or a pipe there is the name alone: it is seen, and not read. */
export async function filesUnder(process: NodeProcess, path: string): Promise<ReadonlyMap<string, PickedFile> | undefined> {
  const files = process.getBuiltinModule('node:fs/promises')
  const { resolve, join } = process.getBuiltinModule('node:path')
  const found = new Map<string, PickedFile>()
  const add = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await files.readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) await add(join(folder, entry.name), `${prefix}${entry.name}/`)
      else found.set(`${prefix}${entry.name}`, entry.isFile() ? fileAt(files, join(folder, entry.name)) : UNREAD)
    }
  }
  const at = resolve(path)
  const kind = await files.stat(at).catch(() => undefined)
  if (kind === undefined || kind.isFile()) return undefined
  await add(at, '')
  return found
}

/** The files of a data folder, its tapes, one session's folder or one of its files, by key. Rejects STORE_MISSING. */
export async function folderAt(process: NodeProcess, path: string): Promise<PickedFolder> {
  const files = process.getBuiltinModule('node:fs/promises')
  const { resolve, join, dirname, basename } = process.getBuiltinModule('node:path')
  let at = resolve(path)
  const found = await files.stat(at).catch(() => {
    throw new ApplianceError('STORE_MISSING', `${at} does not exist`)
  })
  const isFile = found.isFile()
  if (isFile) at = dirname(at)
  const picked = new Map<string, PickedFile>()
  const closed = new Map<string, string>()
  const entriesOf = async (folder: string, prefix: string): Promise<readonly NodeEntry[]> => {
    try {
      return await files.readdir(folder, { withFileTypes: true })
    } catch (error) {
      if (!isMissing(error)) closed.set(prefix, wordsOf(error))
      return []
    }
  }
  const add = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await entriesOf(folder, prefix)) {
      if (entry.name.startsWith('.')) continue
      if (entry.isFile()) picked.set(`${prefix}${entry.name}`, fileAt(files, join(folder, entry.name)))
      // A folder, a link or a pipe: there, and never opened as a file.
      else if (prefix.startsWith('tapes/')) picked.set(`${prefix}${entry.name}/`, NOTHING)
      if (entry.isDirectory()) await add(join(folder, entry.name), `${prefix}${entry.name}/`)
    }
  }
  const isPlain = (folder: string): Promise<boolean> =>
    files.lstat(folder).then(
      (found) => !found.isSymbolicLink(),
      () => true,
    )
  const isSegment = (entry: NodeEntry): boolean => entry.isFile() && /^(?:\d{4}|recovered-0000)\.tape$/.test(entry.name)
  const holdsTape = async (folder: string): Promise<boolean> =>
    files.readdir(folder, { withFileTypes: true }).then(
      (entries) => entries.some(isSegment),
      () => false,
    )
  const copy = async (folder: string): Promise<void> => add(folder, `tapes/${await sessionOf(folder)}/`)
  const sessionOf = async (folder: string): Promise<string> => {
    const header = fileAt(files, join(folder, '0000.tape'))
    return (await sessionIn(header).catch(() => undefined)) ?? basename(folder)
  }
  const parent = dirname(at)
  let whole = false
  let around = [at, parent]
  const isTape = await holdsTape(at)
  // What lies beside it is not what was asked about.
  if (isFile && !isTape) throw new ApplianceError('STORE_MISSING', `${path} is no part of a tape, no excerpt and no bundle`)
  if (isTape) {
    // Where the gateway put it, its place says whose it is, and must be right; anywhere else only its header does.
    if (basename(parent) === 'tapes') {
      await add(at, `tapes/${basename(at)}/`)
      around = [dirname(parent)]
    } else await copy(at)
  } else {
    const root = basename(at) === 'tapes' ? parent : at
    // The folder may be a link; below it none is followed.
    for (const name of ['tapes', 'ledger']) if (await isPlain(join(root, name))) await add(join(root, name), `${name}/`)
    // Of tapes that were all removed the ledger still tells.
    whole = [...picked.keys(), ...closed.keys()].some(
      (key) => TAPE_PART.test(key) || /^(?:tapes|ledger)\/$|^tapes\/[^/]+\/$|^ledger\/seq\//.test(key),
    )
    if (whole) around = [root]
    else {
      for (const entry of await files.readdir(at, { withFileTypes: true }))
        if (entry.isDirectory() && (await holdsTape(join(at, entry.name)))) await copy(join(at, entry.name))
    }
  }
  for (const folder of around.toReversed()) if (await isPlain(join(folder, 'keys'))) await add(join(folder, 'keys'), 'keys/')
  return { files: picked, whole, closed }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function noFile(): Promise<never> {
  throw new ApplianceError('STORE_MISSING', 'it is no file')
}

const UNREAD: PickedFile = { size: noFile, read: noFile }

const NOTHING: PickedFile = { size: async () => 0, read: async () => new Uint8Array(0) }

function fileAt(files: NodeFiles, path: string): PickedFile {
  return {
    size: async () => (await files.stat(path)).size,
    async read(from, to) {
      const file = await files.open(path, 'r')
      try {
        const bytes = new Uint8Array(Math.max(0, Math.min(to, (await files.stat(path)).size) - from))
        let filled = 0
        while (filled < bytes.length) {
          const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
        return bytes.subarray(0, filled)
      } finally {
        await file.close()
      }
    },
  }
}
