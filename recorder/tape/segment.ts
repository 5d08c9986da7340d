import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { IndexRow, SegmentIndex, Summary } from '../../schemas/tape.ts'
import { CODECS, FOOTER_SIZE, TAPE_MAGIC, TAPE_VERSION, tapeKeys } from '../../schemas/tape.ts'
import { indexRow, type MadeChunk } from './chunk.ts'
import type { RecorderLimits } from './limits.ts'
import { pack } from './msgpack.ts'
import { checkOf, encodeFooter, encodeRecord } from './record.ts'

const gzipAsync = promisify(gzip)

/** A new segment is begun while the old one has this much left: the next chunk's size is not known before it is made. */
const SLACK = 10 << 20

/** Bytes on their way to one place in the store. */
export interface Addition {
  readonly key: string
  readonly position: number
  readonly bytes: Uint8Array
}

/** Lays out one segment: where each record goes, and the index of it at the end. Does no I/O. */
export class Segment {
  readonly number: number
  readonly bornMs: number
  readonly #key: string
  readonly #rows: IndexRow[] = []
  #size = 0

  constructor(id: string, number: number, bornMs: number) {
    this.number = number
    this.bornMs = bornMs
    this.#key = tapeKeys.segment(id, number)
  }

  /** Whether the next chunk belongs in a new segment. An empty one never is full. */
  full(limits: Pick<RecorderLimits, 'segmentBlocks' | 'segmentSize' | 'segmentAgeMs'>): boolean {
    if (this.#rows.length === 0) return false
    if (this.#rows.length >= limits.segmentBlocks || this.#size + SLACK > limits.segmentSize) return true
    return performance.now() - this.bornMs > limits.segmentAgeMs
  }

  begin(headerRecord: Uint8Array): Addition {
    return this.add(Buffer.concat([TAPE_MAGIC, headerRecord]))
  }

  chunk(made: MadeChunk): Addition {
    this.#rows.push(indexRow(made, this.#size))
    return this.add(made.record)
  }

  add(bytes: Uint8Array): Addition {
    const position = this.#size
    this.#size += bytes.length
    return { key: this.#key, position, bytes }
  }

  /** Index and footer. `summary` marks the last segment. */
  async end(density: SegmentIndex['density'], summary: Summary | null): Promise<Addition> {
    const record = await encodeIndex({ v: TAPE_VERSION, segment: this.number, chunks: this.#rows, density, summary })
    const fileSize = this.#size + record.length + FOOTER_SIZE
    const footer = encodeFooter({ indexAt: this.#size, segment: this.number, last: summary !== null, fileSize }, checkOf(record))
    return this.add(Buffer.concat([record, footer]))
  }
}

/** The index record: u8 codec, then the map, compressed. */
export async function encodeIndex(index: SegmentIndex): Promise<Buffer> {
  return encodeRecord('index', [Buffer.of(CODECS.gzip), await gzipAsync(pack(index))])
}

/** The salt key's commitment. */
export function commitmentOf(saltKey: Uint8Array): Uint8Array {
  return createHash('sha256').update(saltKey).digest()
}
