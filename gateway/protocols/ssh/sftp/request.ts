import type { FileOperation as Operation } from '../../../../schemas/policy.ts'
import { Reader } from '../reader.ts'
import { LENGTH_SIZE, TYPE } from './packets.ts'

/** One request of a client, as far as it has to be understood. */
export type Request =
  | { readonly is: 'init'; readonly version: number }
  /** Names files: what policy is asked about. `opens`: it is answered with a handle. */
  | {
      readonly is: 'file'
      readonly id: number
      readonly operations: readonly Operation[]
      readonly paths: readonly string[]
      readonly opens: boolean
      /** Handles it works on beside the paths. */
      readonly handles: readonly string[]
      /** Everything behind the id: what an approval is of. */
      readonly what: Uint8Array
    }
  | { readonly is: 'read'; readonly id: number; readonly handle: string; readonly offset: number; readonly length: number }
  | { readonly is: 'write'; readonly id: number; readonly handle: string; readonly offset: number; readonly data: Uint8Array }
  | { readonly is: 'close'; readonly id: number; readonly handle: string }
  /** Of an open file, or of nothing in particular. */
  | { readonly is: 'other'; readonly id: number; readonly handle: string | undefined }
  /** Nothing is known of what it would do. */
  | { readonly is: 'unknown'; readonly id: number; readonly why: string }

/** SSH_FXF_*. */
const READ = 1
const WRITE = 2

const PATHS: Readonly<Record<number, Operation>> = {
  [TYPE.lstat]: 'stat',
  [TYPE.stat]: 'stat',
  [TYPE.setstat]: 'setstat',
  [TYPE.remove]: 'remove',
  [TYPE.mkdir]: 'mkdir',
  [TYPE.rmdir]: 'rmdir',
  [TYPE.realpath]: 'realpath',
  [TYPE.readlink]: 'readlink',
  [TYPE.opendir]: 'list',
}
const PAIRS: Readonly<Record<number, Operation>> = { [TYPE.rename]: 'rename', [TYPE.symlink]: 'link' }

/** Extensions of OpenSSH (its PROTOCOL, section 4), by what they name. */
const EXTENDED_PATHS: Readonly<Record<string, Operation>> = {
  'statvfs@openssh.com': 'stat',
  'lsetstat@openssh.com': 'setstat',
  'expand-path@openssh.com': 'realpath',
}
const EXTENDED_PAIRS: Readonly<Record<string, Operation>> = {
  'posix-rename@openssh.com': 'rename',
  'hardlink@openssh.com': 'link',
}
const EXTENDED_OTHERS = new Set(['limits@openssh.com', 'users-groups-by-id@openssh.com', 'home-directory'])
const EXTENDED_HANDLES = new Set(['fstatvfs@openssh.com', 'fsync@openssh.com'])

/** Throws RangeError where there is less than is said. */
export function readRequest(packet: Buffer): Request {
  try {
    return read(packet)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { is: 'unknown', id: packet.readUInt32BE(LENGTH_SIZE + 1), why: 'a path that is no text in UTF-8' }
  }
}

function read(packet: Buffer): Request {
  const reader = new Reader(packet.subarray(LENGTH_SIZE + 1))
  const type = packet[LENGTH_SIZE] ?? 0
  if (type === TYPE.init) return { is: 'init', version: reader.uint32() }
  const id = reader.uint32()
  const what = packet.subarray(LENGTH_SIZE + 1 + 4)
  const file: FileOf = (operations, paths, more = {}) => ({
    is: 'file',
    id,
    operations,
    paths,
    opens: more.opens === true,
    handles: more.handles ?? [],
    what: Buffer.concat([packet.subarray(LENGTH_SIZE, LENGTH_SIZE + 1), what]),
  })
  const operation = PATHS[type]
  if (operation !== undefined) return file([operation], [path(reader)], { opens: type === TYPE.opendir })
  const pair = PAIRS[type]
  if (pair !== undefined) return file([pair], [path(reader), path(reader)])
  switch (type) {
    case TYPE.open: {
      const name = path(reader)
      const flags = reader.uint32()
      // Whoever asks for neither may still create or cut the file.
      const reads = (flags & READ) !== 0
      const writes = (flags & WRITE) !== 0 || (flags & ~READ) !== 0
      return file([...(reads ? (['read'] as const) : []), ...(writes || !reads ? (['write'] as const) : [])], [name], {
        opens: true,
      })
    }
    case TYPE.read:
      return { is: 'read', id, handle: handle(reader), offset: offset(reader), length: reader.uint32() }
    case TYPE.write:
      return { is: 'write', id, handle: handle(reader), offset: offset(reader), data: reader.string() }
    case TYPE.close:
      return { is: 'close', id, handle: handle(reader) }
    case TYPE.fstat:
    case TYPE.readdir:
      return { is: 'other', id, handle: handle(reader) }
    case TYPE.fsetstat:
      return file(['setstat'], [], { handles: [handle(reader)] })
    case TYPE.extended:
      return extended(reader, id, file)
    default:
      return { is: 'unknown', id, why: `a request of type ${type}` }
  }
}

type FileOf = (
  operations: readonly Operation[],
  paths: readonly string[],
  more?: { readonly opens?: boolean; readonly handles?: readonly string[] },
) => Request

function extended(reader: Reader, id: number, file: FileOf): Request {
  const name = reader.text()
  const operation = EXTENDED_PATHS[name]
  if (operation !== undefined) return file([operation], [path(reader)])
  const pair = EXTENDED_PAIRS[name]
  if (pair !== undefined) return file([pair], [path(reader), path(reader)])
  if (EXTENDED_HANDLES.has(name)) return { is: 'other', id, handle: handle(reader) }
  if (EXTENDED_OTHERS.has(name)) return { is: 'other', id, handle: undefined }
  if (name === 'copy-data') {
    const from = handle(reader)
    reader.skip(16) // where from, and how much
    return file(['copy'], [], { handles: [from, handle(reader)] })
  }
  return { is: 'unknown', id, why: 'an extension that is not known here' }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function path(reader: Reader): string {
  const text = UTF8.decode(reader.string())
  if (text.includes('\0')) throw new TypeError('a path with a zero byte')
  return text
}

/** As text, to be found again; what it says is the target's business. */
function handle(reader: Reader): string {
  return Buffer.from(reader.string()).toString('latin1')
}

/** Files end before 2^53 bytes; beyond, a place is as good as any other that is not there. */
function offset(reader: Reader): number {
  const value = reader.uint64()
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value)
}
