import { hexOf, joinBytes, sameBytes } from '../bytes.ts'
import type { IndexRow, SealStatement, SegmentIndex, StoredChunk } from '../tape.ts'
import { decodeChunk, decodeFooter } from '../tape-chunk.ts'
import { decodeSeal, decodeStatement } from '../tape-statement.ts'
import type { Problem } from '../verification.ts'
import { Density } from './density.ts'
import { checkFrames, told } from './frames.ts'
import { MerkleStack } from './merkle.ts'
import type { Piece } from './scan.ts'
import { footerCheck, unpackIndex } from './segment-index.ts'
import type { LeafHasher, VerifyTools } from './tools.ts'
import { Tally } from './totals.ts'

type RecordPiece = Piece & { kind: 'record' }

/** Reports a problem at a place of the object being read. */
export type Report = (problem: Omit<Problem, 'object'>) => void

/** What is known at a point of the chain, and the checks of what comes next. Goes on from segment to segment of one tape. */
export class ChainVerifier {
  readonly #id: string
  readonly #tools: VerifyTools
  readonly #leaves: LeafHasher | undefined
  readonly #recovered: boolean
  readonly tree: MerkleStack
  readonly tally = new Tally()
  readonly density = new Density()
  n: number
  seq: number
  head: Uint8Array
  /** The key the next signature must be by; undefined behind a break in the chain. */
  key: Uint8Array | undefined
  /** Set by a break, until the end: what follows is not led to by the gateway's certificate. */
  broken = false
  /** Chunks may be missing that could not be read. */
  lost = false
  /** The head is that of a part found changed: the next `prev` cannot fit, and that has been said. */
  #headInDoubt = false
  /** Something was wrong with a chunk: sums over all cannot fit, and need no second word. */
  sound = true
  lastUs = 0
  good = 0
  unattested = 0
  chunks = 0
  lastGood: { readonly frame: number; readonly atUs: number; readonly chunk: number } | null = null
  seal: SealStatement | undefined

  /** `leaves` is undefined where the salt key is not known: then frames are not checked. */
  constructor(
    id: string,
    tools: VerifyTools,
    leaves: LeafHasher | undefined,
    recovered: boolean,
    start: { n: number; seq: number; head: Uint8Array; key: Uint8Array | undefined },
  ) {
    this.#id = id
    this.#tools = tools
    this.tree = new MerkleStack((bytes) => tools.sha256(bytes))
    this.#leaves = leaves
    this.#recovered = recovered
    this.n = start.n
    this.seq = start.seq
    this.head = start.head
    this.key = start.key
  }

  /** Something unreadable stands here; what comes next is taken up as it is. */
  break(): void {
    this.broken = true
    this.key = undefined
    this.#headInDoubt = true
    this.sound = false
  }

  /** What stood here cannot be read: what comes next is taken up where it says it begins. */
  lose(): void {
    this.break()
    this.lost = true
  }

  /** Behind what could not be read. */
  resume(n: number, seq: number): void {
    this.n = n
    this.seq = seq
    this.lost = false
  }

  /** The segment header has been checked; the next chunk refers to it. */
  begin(statement: Uint8Array): void {
    this.head = this.#tools.sha256(statement)
  }

  async chunk(piece: RecordPiece, report: Report): Promise<IndexRow | undefined> {
    const { offset } = piece
    let chunk: StoredChunk
    try {
      chunk = decodeChunk(piece.payload)
    } catch (error) {
      report({ verdict: 'INVALID', part: 'chunk-header', what: told(error), offset, chunk: this.n })
      this.break()
      return undefined
    }
    const { header } = chunk
    const at = { offset, chunk: header.n }
    const range = header.count === 0 ? at : { ...at, frames: [header.firstSeq, header.firstSeq + header.count - 1] as const }
    let said = false
    const invalid = (part: Problem['part'], what: string, where: Partial<Problem> = range): void => {
      said = true
      report({ verdict: 'INVALID', part, what, ...where })
    }
    const signed =
      this.key === undefined ? undefined : await this.#tools.verifyEpoch('chunk', chunk.headerBytes, chunk.signature, this.key)
    if (signed === false) invalid('signature', 'the chunk is not signed by the key its predecessor names')
    if (this.seal !== undefined) invalid('order', 'a chunk stands behind the seal')
    if (header.n !== this.n) {
      const missing =
        header.n > this.n && header.firstSeq > this.seq ? { ...at, frames: [this.seq, header.firstSeq - 1] as const } : range
      invalid(
        'order',
        header.n > this.n ? `chunks ${this.n} to ${header.n - 1} are missing` : `chunk ${header.n} stands where ${this.n} should`,
        missing,
      )
    } else if (header.firstSeq !== this.seq) invalid('order', `the chunk begins with frame ${header.firstSeq}, not ${this.seq}`)
    if (!this.#headInDoubt && !sameBytes(header.prev, this.head)) invalid('order', 'the chunk does not follow the one before it')
    if (header.firstUs < this.lastUs) invalid('order', 'the chunk is older than the one before it')
    const frames = this.#leaves === undefined ? undefined : await checkFrames(chunk, this.#leaves, this.#recovered, this.#tools)
    for (const problem of frames?.problems ?? []) {
      said = true
      report({ ...at, ...problem })
    }
    if (!piece.intact && !said)
      invalid('checksum', 'the chunk’s stored checksum or codec was changed; its frames are unchanged', range)
    if (said) this.sound = false
    this.#goOn(chunk, signed, frames?.good ?? 0)
    if (frames !== undefined) {
      this.tally.join(frames.tally)
      this.density.add(frames.times)
    }
    return [
      offset,
      piece.size,
      header.n,
      header.firstSeq,
      header.count,
      header.firstUs,
      header.lastUs,
      header.rawSize,
      header.rows,
      header.bytes,
      header.statements,
      header.flags,
    ]
  }

  #goOn(chunk: StoredChunk, signed: boolean | undefined, good: number): void {
    const { header } = chunk
    if (signed !== true) this.broken = true
    this.tree.push(chunk.headerBytes)
    this.chunks += 1
    this.good += good
    if (this.broken) this.unattested += good
    else if (good === header.count && good > 0)
      this.lastGood = { frame: header.firstSeq + good - 1, atUs: header.lastUs, chunk: header.n }
    if (good < header.count) this.broken = this.broken || signed !== true
    this.n = header.n + 1
    this.seq = header.firstSeq + header.count
    this.lastUs = header.lastUs
    this.head = this.#tools.sha256(joinBytes(chunk.headerBytes, chunk.signature))
    this.#headInDoubt = signed === false
    this.key = header.nextKey
  }

  async end(piece: RecordPiece, report: Report): Promise<void> {
    const { offset } = piece
    const invalid = (what: string): void => report({ verdict: 'INVALID', part: 'seal', what, offset })
    if (this.seal !== undefined) invalid('a second seal')
    let seal: SealStatement
    try {
      const { statement, rest } = decodeStatement(piece.payload)
      const [signature] = rest
      seal = decodeSeal(statement)
      const signed =
        this.key !== undefined &&
        signature instanceof Uint8Array &&
        (await this.#tools.verifyEpoch('seal', statement, signature, this.key))
      if (!signed) {
        invalid('the seal is not signed by the key the last chunk names')
      } else if (!piece.intact) invalid('the seal’s stored checksum was changed; the seal is unchanged')
    } catch (error) {
      invalid(told(error))
      this.break()
      return
    }
    this.seal = seal
    if (seal.id !== this.#id) invalid(`the seal is that of ${seal.id}`)
    if (!this.sound) return
    if (seal.chunks !== this.tree.count) invalid(`the seal tells of ${seal.chunks} chunks, the tape has ${this.tree.count}`)
    if (!sameBytes(seal.root, this.tree.root())) invalid('the seal’s root is not that of the chunks')
    if (!sameBytes(seal.head, this.head)) invalid('the seal does not follow the last chunk')
    if (this.#leaves !== undefined && JSON.stringify(seal.totals) !== JSON.stringify(this.tally.totals()))
      invalid('the seal’s totals are not those of the frames')
  }
}

/** Index and footer of one segment against what was read; without `density` where not every frame could be. */
export async function checkIndex(
  tools: VerifyTools,
  piece: RecordPiece,
  expected: Pick<SegmentIndex, 'segment' | 'chunks'> & { readonly density: SegmentIndex['density'] | undefined },
  seal: SealStatement | undefined,
  report: Report,
): Promise<void> {
  const { offset } = piece
  const invalid = (what: string): void => report({ verdict: 'INVALID', part: 'index', what, offset })
  if (!piece.intact) {
    invalid('the index was changed')
    return
  }
  let index: SegmentIndex
  try {
    index = await unpackIndex(tools, piece.payload)
  } catch (error) {
    invalid(told(error))
    return
  }
  const summary =
    seal === undefined
      ? null
      : {
          reason: seal.reason,
          chunks: seal.chunks,
          root: hexOf(seal.root),
          endedAt: seal.endedAt,
          durationUs: seal.atUs,
          totals: seal.totals,
        }
  // Only the first: where the rows are others, what is summed up over them cannot fit.
  if (index.segment !== expected.segment) invalid(`the index is that of segment ${index.segment}`)
  else if (JSON.stringify(index.chunks) !== JSON.stringify(expected.chunks))
    invalid('the index does not describe the chunks of its segment')
  else if (expected.density !== undefined && JSON.stringify(index.density) !== JSON.stringify(expected.density))
    invalid('the index tells of frames at other times')
  else if (JSON.stringify(index.summary) !== JSON.stringify(summary)) invalid('the index’s summary is not the seal’s')
}

export function checkFooter(
  tools: VerifyTools,
  piece: Piece & { kind: 'footer' },
  index: RecordPiece | undefined,
  expected: { readonly segment: number; readonly last: boolean; readonly fileSize: number },
  report: Report,
): void {
  const { offset, bytes } = piece
  const invalid = (what: string): void => report({ verdict: 'INVALID', part: 'footer', what, offset })
  const footer = decodeFooter(bytes)
  if (index === undefined) {
    invalid('a footer without an index')
    return
  }
  if (!sameBytes(footer.check, footerCheck(tools, bytes, index.check))) {
    invalid('the footer was changed, or is another index’s')
    return
  }
  if (footer.indexAt !== index.offset) invalid('the footer points to another place than the index')
  if (footer.segment !== expected.segment) invalid(`the footer is that of segment ${footer.segment}`)
  if (footer.last !== expected.last)
    invalid(footer.last ? 'the footer says the tape ends here, without a seal' : 'a seal in a segment that is not the last')
  if (footer.fileSize !== expected.fileSize)
    invalid(`the object has ${expected.fileSize} bytes, its footer says ${footer.fileSize}`)
}
