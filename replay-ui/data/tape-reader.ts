import type { TapeObject } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type SegmentIndex, tapeKeys } from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { frameBounds } from '../../schemas/tape-frame.ts'
import { ObjectWindow, recordOf } from '../../schemas/verify/scan.ts'
import { indexByScan, readTapeIndex, type TapeIndex } from '../../schemas/verify/segment-index.ts'
import type { VerifyTools } from '../../schemas/verify/tools.ts'
import { type ChunkPlace, type TapeMap, tapeMapOf } from './tape-map.ts'
import { type ObjectApi, TapeSource } from './tape-source.ts'

/** Opening asks for a header and an index, a few KiB each. */
const OPEN_WINDOW_SIZE = 64 << 10

/** Reads one session's tape by range requests: its index, then any chunk by one request. Verifies nothing: that goes on beside. */
export class TapeReader {
  readonly #api: ObjectApi
  readonly #tools: VerifyTools
  readonly #id: string
  readonly #source: TapeSource
  #index: TapeIndex | undefined
  #map: TapeMap | undefined

  constructor(api: ObjectApi, tools: VerifyTools, id: string) {
    this.#api = api
    this.#tools = tools
    this.#id = id
    this.#source = new TapeSource(api, id, OPEN_WINDOW_SIZE)
  }

  /** Rejects STORE_MISSING where there is no tape, TAPE_MALFORMED where not even its header can be read. */
  async open(signal?: AbortSignal): Promise<TapeMap> {
    const { objects } = await this.#api.objects(this.#id, signal)
    this.#source.tell(objects)
    this.#index = await readTapeIndex(this.#source, this.#tools, this.#id, signal)
    this.#map = tapeMapOf(this.#id, this.#index)
    return this.#map
  }

  /** The tape has grown to these sizes. Reads only what is new of its last segment, or the index again where there is more. */
  async grow(objects: readonly TapeObject[], signal?: AbortSignal): Promise<TapeMap> {
    const index = this.#index
    this.#source.tell(objects)
    const last = index?.segments.at(-1)
    const row = last?.chunks.at(-1)
    const segments = objects.filter(({ kind }) => kind === 'segment')
    const simple = index !== undefined && last !== undefined && row !== undefined && segments.length === index.segments.length
    if (!simple || segments.some(({ final }) => final && segments.length === 1)) return this.open(signal)
    const key = tapeKeys.segment(this.#id, last.segment)
    const object = await ObjectWindow.open(this.#source, this.#tools, key, signal)
    const more = await indexByScan(object, last.segment, row[0] + row[1])
    const grown: SegmentIndex = { ...last, chunks: [...last.chunks, ...more.chunks], density: { binUs: 1, counts: [] } }
    this.#index = { ...index, segments: [...index.segments.slice(0, -1), grown] }
    this.#map = tapeMapOf(this.#id, this.#index)
    return this.#map
  }

  /** Frames of chunk `index` of the map, packed: [from, to) of each in `raw`. Rejects TAPE_MALFORMED where it cannot be read. */
  async chunk(index: number, signal?: AbortSignal): Promise<PackedChunk> {
    const place = this.#map?.chunks[index]
    if (place === undefined) throw new ApplianceError('STORE_MISSING', `the tape has no chunk ${index}`)
    return readChunk(this.#api, this.#tools, this.#id, place, signal)
  }
}

export interface PackedChunk {
  readonly raw: Uint8Array
  /** [from, to) of each frame in `raw`. */
  readonly bounds: Uint32Array
}

/** The frames of one chunk, by one request. Rejects TAPE_MALFORMED where it cannot be read. */
export async function readChunk(
  api: Pick<ObjectApi, 'object'>,
  tools: VerifyTools,
  id: string,
  { key, offset, size }: Pick<ChunkPlace, 'key' | 'offset' | 'size'>,
  signal?: AbortSignal,
): Promise<PackedChunk> {
  const name = key.slice(tapeKeys.prefix(id).length)
  const bytes = await api.object(id, name, { from: offset, to: offset + size }, signal)
  const record = recordOf(bytes, offset, tools)
  if (record?.type !== 'chunk') throw new ApplianceError('TAPE_MALFORMED', `no chunk stands at ${offset} of ${key}`)
  const { codec, stored, header } = decodeChunk(record.payload)
  const raw = await tools.decompress(codec, stored, header.rawSize)
  return { raw, bounds: Uint32Array.from(frameBounds(raw)) }
}
