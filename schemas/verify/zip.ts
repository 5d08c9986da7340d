import { isBundlePath } from '../bundle.ts'
import { ApplianceError } from '../errors.ts'
import type { ObjectSource } from './tools.ts'

// ZIP archives of stored entries (APPNOTE 6.3.10), as audit bundles are. Anything else is refused: nothing is inflated, renamed or guessed.

export const ZIP = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  /** What a 32-bit member holds where the number stands in the zip64 extra. */
  beyond: 0xffffffff,
  beyondCount: 0xffff,
  extra64: 0x0001,
  /** Another name for the entry, which some readers prefer. */
  extraName: 0x7075,
  /** The flag that says names are UTF-8, which plain names are. */
  utf8: 0x800,
} as const

const LOCAL_SIZE = 30
const CENTRAL_SIZE = 46
const END_SIZE = 22
const LOCATOR_SIZE = 20
const END64_SIZE = 56
/** Entries of a bundle: 100,000 tapes of a few objects each. */
const MAX_ENTRIES = 1_000_000
const MAX_DIRECTORY_SIZE = 256 << 20
/** What 16 bits count. */
const MAX_EXTRA_SIZE = 0xffff

/** Random access to the archive's bytes: a file, or a Blob in a browser. */
export interface ZipBytes {
  readonly size: number
  /** Bytes [from, to), all of which are there. */
  read(from: number, to: number): Promise<Uint8Array>
}

interface ZipEntry {
  readonly name: string
  /** Of its local header. */
  readonly at: number
  /** Of its first byte. */
  readonly from: number
  readonly size: number
}

/**
 * The entries of an archive as objects by name. Each byte of the file belongs to one entry, one header or the directory, or TAPE_MALFORMED: the directory,
 * all that is read of an archive to open it, says where every header begins and every entry ends. An entry's own header is looked at before the first
 * of its bytes is handed out, with which it is read; where it is another's, TAPE_MALFORMED.
 */
export class ZipSource implements ObjectSource {
  readonly #bytes: ZipBytes
  readonly #entries: ReadonlyMap<string, ZipEntry>
  readonly #names: readonly string[]
  readonly #seen = new Set<ZipEntry>()

  private constructor(bytes: ZipBytes, entries: ReadonlyMap<string, ZipEntry>) {
    this.#bytes = bytes
    this.#entries = entries
    this.#names = [...entries.keys()].sort()
  }

  /** Three reads, however many entries there are. */
  static async open(bytes: ZipBytes): Promise<ZipSource> {
    const { directory, count } = await directoryOf(bytes)
    const view = new DataView(directory.bytes.buffer, directory.bytes.byteOffset, directory.bytes.byteLength)
    const listed: Listed[] = []
    let read = 0
    for (let index = 0; index < count; index += 1) {
      const entry = centralAt(view, directory.bytes, read)
      read = entry.end
      listed.push(entry)
    }
    if (read !== directory.bytes.length || (listed[0]?.at ?? directory.at) !== 0)
      throw malformed('its directory is not that of its entries')
    const entries = new Map<string, ZipEntry>()
    for (const [index, { name, at, size }] of listed.entries()) {
      if (entries.has(name)) throw malformed(`${name} is there twice`)
      // In the order of the file and without gaps: nothing hides between entries, and none overlaps another.
      const from = (listed[index + 1]?.at ?? directory.at) - size
      const header = from - at - LOCAL_SIZE - name.length
      if (header < 0 || header > MAX_EXTRA_SIZE) throw malformed(`${name} does not end where the next begins`)
      entries.set(name, { name, at, from, size })
    }
    // What comes before any letter of a name stands for the slash: in that order a file's name is next to what is in a folder of that name.
    const ordered = [...entries.keys()].map((name) => name.replaceAll('/', ' ')).sort()
    for (const [index, name] of ordered.entries())
      if (ordered[index + 1]?.startsWith(`${name} `)) throw malformed(`${name.replaceAll(' ', '/')} is a file and a folder`)
    return new ZipSource(bytes, entries)
  }

  names(): readonly string[] {
    return this.#names
  }

  /** Where the entry's bytes stand in the archive. */
  async place(name: string): Promise<{ readonly from: number; readonly size: number }> {
    const entry = this.#entry(name)
    if (!this.#seen.has(entry)) this.#see(entry, await this.#bytes.read(entry.at, entry.from))
    return entry
  }

  async get(name: string, range?: { readonly from: number; readonly to: number }): Promise<Uint8Array> {
    const entry = this.#entry(name)
    const { at, from, size } = entry
    const to = Math.min(range?.to ?? size, size)
    const first = Math.min(range?.from ?? 0, to)
    if (first === 0 && !this.#seen.has(entry)) {
      const bytes = await this.#bytes.read(at, from + to)
      this.#see(entry, bytes.subarray(0, from - at))
      return bytes.subarray(from - at)
    }
    await this.place(name)
    return this.#bytes.read(from + first, from + to)
  }

  async size(name: string): Promise<number> {
    return this.#entry(name).size
  }

  #entry(name: string): ZipEntry {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new ApplianceError('STORE_MISSING', `${name} is not in the bundle`)
    return entry
  }

  #see(entry: ZipEntry, header: Uint8Array): void {
    checkLocal(header, entry)
    this.#seen.add(entry)
  }

  async *list(prefix: string): AsyncGenerator<string> {
    for (const name of this.#names) if (name.startsWith(prefix)) yield name
  }
}

const SEVERAL = 'it is one of several volumes'

async function directoryOf(bytes: ZipBytes): Promise<{ directory: { at: number; bytes: Uint8Array }; count: number }> {
  if (bytes.size < END_SIZE) throw malformed('it is no ZIP archive')
  const end = viewOf(await bytes.read(bytes.size - END_SIZE, bytes.size))
  if (end.getUint32(0, true) !== ZIP.end || end.getUint16(20, true) !== 0)
    throw malformed('it does not end as a ZIP archive does')
  if (end.getUint32(4, true) !== 0 || end.getUint16(8, true) !== end.getUint16(10, true)) throw malformed(SEVERAL)
  let count = end.getUint16(10, true)
  let size = end.getUint32(12, true)
  let at = end.getUint32(16, true)
  let tail = bytes.size - END_SIZE
  if (count === ZIP.beyondCount || size === ZIP.beyond || at === ZIP.beyond) {
    tail -= LOCATOR_SIZE + END64_SIZE
    if (tail < 0) throw malformed('its zip64 directory is missing')
    const view = viewOf(await bytes.read(tail, tail + END64_SIZE + LOCATOR_SIZE))
    const whole = view.getUint32(0, true) === ZIP.end64 && view.getUint32(END64_SIZE, true) === ZIP.locator64
    if (!whole || numberAt(view, END64_SIZE + 8) !== tail) throw malformed('its zip64 directory is missing')
    count = numberAt(view, 32)
    if (numberAt(view, 24) !== count) throw malformed(SEVERAL)
    size = numberAt(view, 40)
    at = numberAt(view, 48)
  }
  if (count > MAX_ENTRIES || size > MAX_DIRECTORY_SIZE)
    throw malformed(`${count} entries in a directory of ${size} bytes, the limits are ${MAX_ENTRIES} and ${MAX_DIRECTORY_SIZE}`)
  if (at + size !== tail) throw malformed('its directory does not stand at its end')
  return { directory: { at, bytes: await bytes.read(at, tail) }, count }
}

/** What the directory says of an entry, and where its line ends. */
interface Listed extends Omit<ZipEntry, 'from'> {
  readonly end: number
}

function centralAt(view: DataView, bytes: Uint8Array, at: number): Listed {
  if (at + CENTRAL_SIZE > bytes.length || view.getUint32(at, true) !== ZIP.central) throw malformed('its directory is cut')
  const [nameSize, extraSize, commentSize] = [28, 30, 32].map((place) => view.getUint16(at + place, true)) as [
    number,
    number,
    number,
  ] // three were asked for
  const end = at + CENTRAL_SIZE + nameSize + extraSize + commentSize
  if (end > bytes.length) throw malformed('its directory is cut')
  const name = text.decode(bytes.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + nameSize))
  if (!isBundlePath(name)) throw malformed(`the name ${JSON.stringify(name.slice(0, 80))} is none that a bundle has`)
  const plain = (view.getUint16(at + 8, true) & ~ZIP.utf8) === 0 && view.getUint16(at + 34, true) === 0
  if (view.getUint16(at + 10, true) !== 0 || !plain) throw malformed(`${name} is not stored as it is`)
  if (!isFile(view.getUint16(at + 40, true))) throw malformed(`${name} is a link, or something else that is no file`)
  if (commentSize !== 0) throw malformed(`${name} has a comment`)
  const extra = new Extra64(view, at + CENTRAL_SIZE + nameSize, extraSize)
  const size = extra.number(view.getUint32(at + 24, true))
  const stored = extra.number(view.getUint32(at + 20, true))
  const place = extra.number(view.getUint32(at + 42, true))
  if (stored !== size) throw malformed(`${name} is not stored as it is`)
  return { name, size, at: place, end }
}

/** A byte order mark is part of a name, and so of none that a bundle has. */
const text = new TextDecoder('utf-8', { ignoreBOM: true })

/** By the upper half of its external attributes, which is a mode of Unix; whoever packs on other systems has none there. */
function isFile(mode: number): boolean {
  const kind = mode & 0o170000
  return kind === 0 || kind === 0o100000
}

/** The local header must be of this entry, and as long as the directory leaves room for. */
function checkLocal(header: Uint8Array, { name }: ZipEntry): void {
  const view = viewOf(header)
  if (view.getUint32(0, true) !== ZIP.local) throw malformed(`${name} has no header`)
  if (
    view.getUint16(26, true) !== name.length ||
    !header.subarray(LOCAL_SIZE).every((byte, at) => at >= name.length || byte === name.charCodeAt(at))
  )
    throw malformed(`${name} has another name in its header`)
  if (view.getUint16(8, true) !== 0 || (view.getUint16(6, true) & ~ZIP.utf8) !== 0)
    throw malformed(`${name} is not stored as it is`)
  if (LOCAL_SIZE + name.length + view.getUint16(28, true) !== header.length)
    throw malformed(`${name} does not begin where its header ends`)
}

/** The numbers of a zip64 extra, in the order in which the members before them had no room. */
class Extra64 {
  readonly #view: DataView
  #at = 0
  #end = 0

  constructor(view: DataView, from: number, size: number) {
    this.#view = view
    for (let at = from; at < from + size; ) {
      const next = at + 4 > from + size ? at + 4 : at + 4 + view.getUint16(at + 2, true)
      if (next > from + size) throw malformed('an extra field is cut')
      const kind = view.getUint16(at, true)
      if (kind === ZIP.extraName || (kind === ZIP.extra64 && this.#end !== 0))
        throw malformed('an extra field says what stands elsewhere')
      if (kind === ZIP.extra64) [this.#at, this.#end] = [at + 4, next]
      at = next
    }
  }

  number(short: number): number {
    if (short !== ZIP.beyond) return short
    if (this.#at + 8 > this.#end) throw malformed('a zip64 number is missing')
    this.#at += 8
    return numberAt(this.#view, this.#at - 8)
  }
}

function numberAt(view: DataView, at: number): number {
  const number = Number(view.getBigUint64(at, true))
  if (!Number.isSafeInteger(number)) throw malformed('a number in it is beyond any file')
  return number
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', `the archive cannot be read: ${what}`)
}
