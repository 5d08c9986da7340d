import { joinBytes } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Excerpt, ExcerptFrame, ExcerptLink } from '../../schemas/excerpt.ts'
import { type Certificate, HASH_SIZE, SALT_SIZE, type StoredChunk, tapeKeys } from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { frameBounds } from '../../schemas/tape-frame.ts'
import { decodeCertificate, decodeStatement } from '../../schemas/tape-statement.ts'
import { pathTo } from '../../schemas/verify/merkle.ts'
import { type Piece, scanSegment } from '../../schemas/verify/scan.ts'
import type { Store } from '../store/store.ts'
import { decompress } from './codec.ts'
import { Salts, sha256 } from './merkle.ts'
import { tapeParts } from './tape-parts.ts'
import { nodeTools, openObject } from './tools.ts'

export type FrameRuns = readonly (readonly [first: number, last: number])[]

/**
 * Some frames of a tape, with what proves them. Reads the tape through: the chain of signatures is part of the proof. Verifies nothing.
 * Rejects STORE_MISSING without tape or salt key, TAPE_MALFORMED where the tape cannot be read whole or has not got all the frames.
 */
export async function makeExcerpt(store: Store, session: string, disclosed: FrameRuns, signal?: AbortSignal): Promise<Excerpt> {
  const maker = new ExcerptMaker(session, disclosed, await store.get(tapeKeys.salt(session), undefined, signal))
  const keys: string[] = []
  for await (const key of tapeParts(store, session, signal)) keys.push(key)
  const recovered = tapeKeys.recovered(session)
  const segments = keys.filter((key) => /\/\d{4}\.tape$/.test(key))
  for (const key of keys.includes(recovered) ? [...segments, recovered] : segments) {
    const object = await openObject(store, key, signal)
    for await (const piece of scanSegment(object)) maker.take(piece, key)
  }
  return maker.excerpt()
}

class ExcerptMaker {
  readonly #session: string
  readonly #disclosed: FrameRuns
  readonly #saltKey: Uint8Array
  readonly #chain: ExcerptLink[] = []
  readonly #frames: ExcerptFrame[] = []
  #header: Excerpt['header'] | undefined

  constructor(session: string, disclosed: FrameRuns, saltKey: Uint8Array) {
    this.#session = session
    this.#disclosed = disclosed
    this.#saltKey = saltKey
  }

  take(piece: Piece, key: string): void {
    if (piece.kind === 'damage') throw malformed(`${key} is damaged at byte ${piece.offset}`)
    // What a crash cut off never counted.
    if (piece.kind !== 'record') return
    if (!piece.intact) throw malformed(`${key} is damaged at byte ${piece.offset}`)
    switch (piece.type) {
      case 'header': {
        const { statement, rest } = decodeStatement(piece.payload)
        if (this.#header === undefined) this.#header = { statement, certificate: certificateOf(rest[0]) }
        else this.#chain.push({ kind: 'segment', statement })
        break
      }
      case 'recovery': {
        const { statement, rest } = decodeStatement(piece.payload)
        this.#chain.push({ kind: 'recovery', statement, certificate: certificateOf(rest[0]) })
        break
      }
      case 'chunk':
        this.#chunk(decodeChunk(piece.payload))
        break
      case 'seal': {
        const { statement, rest } = decodeStatement(piece.payload)
        const [signature] = rest
        if (!(signature instanceof Uint8Array)) throw malformed('a seal without a signature')
        this.#chain.push({ kind: 'seal', statement, signature })
        break
      }
      case 'index':
        break
      default:
        piece.type satisfies never
    }
  }

  #chunk(chunk: StoredChunk): void {
    const { header, headerBytes, signature } = chunk
    this.#chain.push({ kind: 'chunk', header: headerBytes, signature })
    const wanted: number[] = []
    for (const [first, last] of this.#disclosed) {
      const [from, to] = [Math.max(first, header.firstSeq), Math.min(last, header.firstSeq + header.count - 1)]
      for (let seq = from; seq <= to; seq += 1) wanted.push(seq)
    }
    if (wanted.length === 0) return
    const raw = decompress(chunk.codec, chunk.stored, header.rawSize)
    const bounds = frameBounds(raw)
    const hashes = new Uint8Array(header.count * HASH_SIZE)
    const leaves = nodeTools.leaves(this.#saltKey)
    for (let index = 0; index < header.count; index += 1)
      leaves.write(header.firstSeq + index, raw, bounds[index * 2] ?? 0, bounds[index * 2 + 1] ?? 0, hashes, index * HASH_SIZE)
    const salts = new Salts(this.#saltKey)
    for (const seq of wanted) {
      const index = seq - header.firstSeq
      const salt = Buffer.alloc(SALT_SIZE)
      salts.write(seq, salt, 0)
      const frame = joinBytes(raw.subarray(bounds[index * 2], bounds[index * 2 + 1]))
      this.#frames.push({ seq, salt, frame, path: pathTo(sha256, hashes, header.count, index) })
    }
  }

  excerpt(): Excerpt {
    if (this.#header === undefined) throw malformed('the tape has no header')
    const wanted = this.#disclosed.reduce((sum, [first, last]) => sum + last - first + 1, 0)
    if (this.#frames.length !== wanted)
      throw new ApplianceError('STORE_MISSING', `the tape has ${this.#frames.length} of the ${wanted} frames that were asked for`)
    return {
      session: this.#session,
      header: this.#header,
      chain: this.#chain,
      disclosed: this.#disclosed,
      frames: this.#frames,
    }
  }
}

function certificateOf(value: Parameters<typeof decodeCertificate>[0]): Certificate | undefined {
  return value === undefined ? undefined : decodeCertificate(value)
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', what)
}
