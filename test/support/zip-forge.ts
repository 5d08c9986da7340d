import { crc32 } from 'node:zlib'

/** An entry of an archive; what is not said is as it should be. `central` and `local`: bytes of its two headers, by offset. */
export interface ForgedEntry {
  readonly name: string
  readonly data: Buffer
  readonly central?: Readonly<Record<number, number>>
  readonly local?: Readonly<Record<number, number>>
  readonly centralExtra?: Buffer
  readonly comment?: Buffer
}

export interface ForgedArchive {
  /** Of the directory's end, by offset. */
  readonly end?: Readonly<Record<number, number>>
  /** Between directory and end, made once it is known where the directory is. */
  readonly before?: (at: number, size: number) => Buffer
}

const NONE = Buffer.alloc(0)

/** A ZIP archive of stored entries, with whatever lies in it. */
export function forgeZip(entries: readonly ForgedEntry[], { end = {}, before }: ForgedArchive = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, data, central = {}, local = {}, centralExtra = NONE, comment = NONE } of entries) {
    const [own, listed, text] = [Buffer.alloc(30), Buffer.alloc(46), Buffer.from(name)]
    own.writeUInt32LE(0x04034b50, 0)
    listed.writeUInt32LE(0x02014b50, 0)
    for (const [header, place] of [
      [own, 14],
      [listed, 16],
    ] as const) {
      header.writeUInt32LE(crc32(data), place)
      header.writeUInt32LE(data.length, place + 4)
      header.writeUInt32LE(data.length, place + 8)
      header.writeUInt16LE(text.length, place + 12)
    }
    listed.writeUInt16LE(centralExtra.length, 30)
    listed.writeUInt16LE(comment.length, 32)
    listed.writeUInt32LE(at, 42)
    patch(own, local)
    patch(listed, central)
    parts.push(own, text, data)
    directory.push(listed, text, centralExtra, comment)
    at += own.length + text.length + data.length
  }
  const lines = Buffer.concat(directory)
  const last = Buffer.alloc(22)
  last.writeUInt32LE(0x06054b50, 0)
  const count = Math.min(entries.length, 0xffff)
  last.writeUInt16LE(count, 8)
  last.writeUInt16LE(count, 10)
  last.writeUInt32LE(lines.length, 12)
  last.writeUInt32LE(at, 16)
  patch(last, end)
  return Buffer.concat([...parts, lines, before?.(at, lines.length) ?? NONE, last])
}

/** An extra field of 64-bit numbers, or of bytes. */
export function extra(kind: number, content: Buffer | readonly number[]): Buffer {
  const bytes = Buffer.isBuffer(content) ? content : numbers(content)
  const head = Buffer.alloc(4)
  head.writeUInt16LE(kind, 0)
  head.writeUInt16LE(bytes.length, 2)
  return Buffer.concat([head, bytes])
}

/** The end of a zip64 directory, and what leads to it. */
export function end64(count: number, size: number, at: number): Buffer {
  const bytes = Buffer.alloc(76)
  bytes.writeUInt32LE(0x06064b50, 0)
  numbers([44]).copy(bytes, 4)
  numbers([count, count, size, at]).copy(bytes, 24)
  bytes.writeUInt32LE(0x07064b50, 56)
  numbers([at + size]).copy(bytes, 64)
  bytes.writeUInt32LE(1, 72)
  return bytes
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), index * 8)
  return bytes
}

function patch(bytes: Buffer, changes: Readonly<Record<number, number>>): void {
  for (const [at, value] of Object.entries(changes)) bytes.writeUInt8(value, Number(at))
}
