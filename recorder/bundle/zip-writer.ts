import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { isBundlePath } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { ZIP } from '../../schemas/verify/zip.ts'
import { writeFully } from '../files.ts'
import { NewFile } from './new-file.ts'

/** APPNOTE 4.4.3.2: what zip64 needs. */
const VERSION = 45
/** Bit 11: names are UTF-8. */
const FLAGS = 0x0800
/** Regular file, readable by all, made on Unix: so that what is unpacked can be read. */
const MADE_BY = (3 << 8) | VERSION
const MODE = (0o100644 << 16) >>> 0
const BUFFER_SIZE = 1 << 20
/** Written as it is: copying it costs more than another write. */
const DIRECT_SIZE = 64 << 10

export interface WrittenFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
  /** Of its first byte in the archive. */
  readonly at: number
}

interface Entry extends WrittenFile {
  readonly header: number
  readonly crc: number
}

/**
 * Writes a ZIP archive of stored entries to a file, in constant memory but for its directory. The same entries make the same bytes anywhere: no
 * compression (whose output differs between builds of zlib), one time for all, no owners. It has its name with `commit`, as a NewFile.
 */
export class ZipWriter implements AsyncDisposable {
  readonly #whole: NewFile
  readonly #file: FileHandle
  readonly #time: number
  readonly #date: number
  readonly #entries: Entry[] = []
  #at = 0
  #buffer: Uint8Array[] = []
  #buffered = 0
  #open = false

  private constructor(whole: NewFile, at: Date) {
    this.#whole = whole
    this.#file = whole.file
    this.#time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
    const year = Math.min(Math.max(at.getUTCFullYear(), 1980), 2107)
    this.#date = ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  }

  /** `at`: what is told as the time of every entry. Rejects STORE_CONFLICT where `path` exists. */
  static async create(path: string, at: Date): Promise<ZipWriter> {
    return new ZipWriter(await NewFile.create(path), at)
  }

  /** Written in this order; the entry being written counts. */
  get size(): number {
    return this.#at + this.#buffered
  }

  /** One whole file. */
  async add(path: string, content: string | Uint8Array): Promise<WrittenFile> {
    return this.stream(path, async (write) => write(typeof content === 'string' ? Buffer.from(content) : content))
  }

  /** A file in pieces. One at a time. */
  async stream(path: string, produce: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<WrittenFile> {
    if (!isBundlePath(path)) throw new ApplianceError('STORE_FAILED', `${JSON.stringify(path)} is no name for a file in a bundle`)
    if (this.#open) throw new ApplianceError('STORE_FAILED', 'a file of the bundle is being written already')
    this.#open = true
    const header = this.size
    const name = Buffer.from(path)
    await this.#write(Buffer.alloc(30 + name.length + 20))
    const at = this.size
    const hash = createHash('sha256')
    let [crc, size] = [0, 0]
    await produce(async (bytes) => {
      hash.update(bytes)
      crc = crc32(bytes, crc)
      size += bytes.length
      await this.#write(bytes)
    })
    await this.#flush()
    const entry = { path, size, sha256: hash.digest('hex'), at, header, crc }
    await writeFully(this.#file, this.#localHeader(entry), header)
    this.#entries.push(entry)
    this.#open = false
    return entry
  }

  /** Bytes [from, to) of the archive as far as whole entries are written. */
  async read(from: number, to: number): Promise<Uint8Array> {
    await this.#flush()
    const bytes = Buffer.allocUnsafe(Math.max(0, to - from))
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, from + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }

  /** Writes the directory and gives the archive its name, durably. Rejects STORE_CONFLICT where somebody else has taken it meanwhile. */
  async commit(): Promise<void> {
    const at = this.size
    for (const entry of this.#entries) await this.#write(this.#centralHeader(entry))
    const size = this.size - at
    const count = this.#entries.length
    const big = count >= ZIP.beyondCount || size >= ZIP.beyond || at >= ZIP.beyond
    if (big) await this.#write(end64(count, size, at))
    const end = Buffer.alloc(22)
    end.writeUInt32LE(ZIP.end, 0)
    end.writeUInt16LE(big ? ZIP.beyondCount : count, 8)
    end.writeUInt16LE(big ? ZIP.beyondCount : count, 10)
    end.writeUInt32LE(big ? ZIP.beyond : size, 12)
    end.writeUInt32LE(big ? ZIP.beyond : at, 16)
    await this.#write(end)
    await this.#flush()
    await this.#whole.commit()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#whole[Symbol.asyncDispose]()
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (bytes.length >= DIRECT_SIZE) {
      await this.#flush()
      await writeFully(this.#file, bytes, this.#at)
      this.#at += bytes.length
      return
    }
    // What is handed in may be used again by whoever handed it in.
    this.#buffer.push(Buffer.from(bytes))
    this.#buffered += bytes.length
    if (this.#buffered >= BUFFER_SIZE) await this.#flush()
  }

  async #flush(): Promise<void> {
    if (this.#buffered === 0) return
    const bytes = this.#buffer.length === 1 ? (this.#buffer[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#buffer)
    this.#buffer = []
    this.#buffered = 0
    await writeFully(this.#file, bytes, this.#at)
    this.#at += bytes.length
  }

  /** Sizes always in the zip64 extra: they are not known when it is begun. */
  #localHeader({ path, size, crc }: Entry): Uint8Array {
    const name = Buffer.from(path)
    const header = Buffer.alloc(30)
    header.writeUInt32LE(ZIP.local, 0)
    header.writeUInt16LE(VERSION, 4)
    header.writeUInt16LE(FLAGS, 6)
    header.writeUInt16LE(this.#time, 10)
    header.writeUInt16LE(this.#date, 12)
    header.writeUInt32LE(crc, 14)
    header.writeUInt32LE(ZIP.beyond, 18)
    header.writeUInt32LE(ZIP.beyond, 22)
    header.writeUInt16LE(name.length, 26)
    header.writeUInt16LE(20, 28)
    return Buffer.concat([header, name, extra64(size, size)])
  }

  #centralHeader({ path, size, crc, header: at }: Entry): Uint8Array {
    const name = Buffer.from(path)
    const large = size >= ZIP.beyond
    const far = at >= ZIP.beyond
    const extra = large || far ? extra64(...(large ? [size, size] : []), ...(far ? [at] : [])) : Buffer.alloc(0)
    const header = Buffer.alloc(46)
    header.writeUInt32LE(ZIP.central, 0)
    header.writeUInt16LE(MADE_BY, 4)
    header.writeUInt16LE(VERSION, 6)
    header.writeUInt16LE(FLAGS, 8)
    header.writeUInt16LE(this.#time, 12)
    header.writeUInt16LE(this.#date, 14)
    header.writeUInt32LE(crc, 16)
    header.writeUInt32LE(large ? ZIP.beyond : size, 20)
    header.writeUInt32LE(large ? ZIP.beyond : size, 24)
    header.writeUInt16LE(name.length, 28)
    header.writeUInt16LE(extra.length, 30)
    header.writeUInt32LE(MODE, 38)
    header.writeUInt32LE(far ? ZIP.beyond : at, 42)
    return Buffer.concat([header, name, extra])
  }
}

function extra64(...numbers: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + numbers.length * 8)
  extra.writeUInt16LE(ZIP.extra64, 0)
  extra.writeUInt16LE(numbers.length * 8, 2)
  for (const [index, number] of numbers.entries()) extra.writeBigUInt64LE(BigInt(number), 4 + index * 8)
  return extra
}

function end64(count: number, size: number, at: number): Buffer {
  const end = Buffer.alloc(56 + 20)
  end.writeUInt32LE(ZIP.end64, 0)
  end.writeBigUInt64LE(44n, 4)
  end.writeUInt16LE(MADE_BY, 12)
  end.writeUInt16LE(VERSION, 14)
  end.writeBigUInt64LE(BigInt(count), 24)
  end.writeBigUInt64LE(BigInt(count), 32)
  end.writeBigUInt64LE(BigInt(size), 40)
  end.writeBigUInt64LE(BigInt(at), 48)
  end.writeUInt32LE(ZIP.locator64, 56)
  end.writeBigUInt64LE(BigInt(at + size), 64)
  end.writeUInt32LE(1, 72)
  return end
}
