import type { Certificate, IndexRow, TapeHeader, Totals } from '../tape.ts'
import { decodeCertificate } from '../tape-statement.ts'
import { MAX_PROBLEMS, type Problem } from '../verification.ts'
import { type ChainVerifier, checkIndex, type Report } from './chain.ts'
import type { RecordPiece } from './scan.ts'
import { type GatewayKey, isUnreadable, type ObjectSource, type VerifyTools } from './tools.ts'

export interface TapeTrust {
  readonly gatewayKeys: readonly GatewayKey[]
}

/** Where the tape is read from, and what with. */
export interface VerifyHost {
  readonly source: ObjectSource
  readonly tools: VerifyTools
}

/** A chunk has been read, and what was wrong with it reported. */
export interface CheckedChunk {
  readonly n: number
  readonly firstSeq: number
  readonly count: number
  /** `good`: led to by the gateway's key. `unattested`: nothing wrong in itself, but behind a break in the chain. */
  readonly state: 'good' | 'bad' | 'unattested'
  readonly recovered: boolean
  /** The chain's head behind it. */
  readonly head: Uint8Array
}

export interface VerifyOptions {
  /** Told of the first segment's header: SHA-256 of its statement, and the ledger's checkpoint in it. */
  readonly onHeader?: (statement: Uint8Array, checkpoint: Uint8Array | null) => void
  /** Told of every chunk in tape order, as it is checked. */
  readonly onChunk?: (chunk: CheckedChunk) => void
  /** Told at the end what the seal sums up; without one (`sealed` false), of what frames there are, recovered ones included. */
  readonly onTotals?: (totals: Totals, sealed: boolean) => void
  readonly signal?: AbortSignal
}

/** What is known of a tape while it is being verified, and what was found wrong; all phases share it. */
export class TapeState {
  readonly id: string
  readonly store: ObjectSource
  readonly tools: VerifyTools
  readonly signal: AbortSignal | undefined
  readonly onHeader: VerifyOptions['onHeader']
  readonly problems: Problem[] = []
  readonly verdicts = new Set<Problem['verdict']>()
  problemCount = 0
  header: TapeHeader | undefined
  signer: Certificate | undefined
  /** From the first header on. */
  chain: ChainVerifier | undefined
  /** Undefined where it is missing, or not the one the header commits to. */
  saltKey: Uint8Array | undefined
  readonly #trust: TapeTrust
  readonly #onChunk: VerifyOptions['onChunk']

  constructor(host: VerifyHost, id: string, trust: TapeTrust, options: VerifyOptions) {
    this.id = id
    this.store = host.source
    this.tools = host.tools
    this.signal = options.signal
    this.onHeader = options.onHeader
    this.#trust = trust
    this.#onChunk = options.onChunk
  }

  /** Takes what is wrong with this object. */
  report(object: string): Report {
    return (problem) => {
      this.problemCount += 1
      this.verdicts.add(problem.verdict)
      if (this.problems.length < MAX_PROBLEMS) this.problems.push({ ...problem, object })
    }
  }

  /** Of an object that cannot be read nothing is known; what stands beside it is read all the same. */
  async readable<T>(key: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.report(key)({ verdict: 'UNVERIFIABLE', part: 'segment', what: `the object cannot be read: ${error.message}` })
      this.chain?.lose()
      return undefined
    }
  }

  /** Behind damage the rows cannot agree, and that has been said. */
  async index(
    piece: RecordPiece,
    segment: number,
    chunks: readonly IndexRow[],
    chain: ChainVerifier | undefined,
    report: Report,
  ): Promise<void> {
    const expected = { segment, chunks, density: chain?.sound === true ? chain.density.result() : undefined }
    if (!this.verdicts.has('INVALID') && this.saltKey !== undefined)
      await checkIndex(this.tools, piece, expected, chain?.seal, report)
    else if (!piece.intact) report({ verdict: 'INVALID', part: 'index', what: 'the index was changed', offset: piece.offset })
  }

  /** Checks a chunk and tells whoever follows; its row for the index, where it has one. */
  async chunk(
    chain: ChainVerifier | undefined,
    piece: RecordPiece,
    report: Report,
    recovered: boolean,
  ): Promise<IndexRow | undefined> {
    if (chain === undefined) return undefined
    let wrong = false
    const row = await chain.chunk(piece, (problem) => {
      wrong = true
      report(problem)
    })
    if (row !== undefined) {
      const state = wrong ? 'bad' : chain.broken || this.saltKey === undefined ? 'unattested' : 'good'
      this.#onChunk?.({ n: row[2], firstSeq: row[3], count: row[4], state, recovered, head: chain.head })
    }
    return row
  }

  /** Where in the chain a problem between chunks stands. */
  nextChunk(): { readonly chunk?: number } {
    return this.chain === undefined ? {} : { chunk: this.chain.n }
  }

  /** What was reported, if anything. */
  async certificate(
    value: Parameters<typeof decodeCertificate>[0],
    kind: 'header' | 'recovery',
    statement: Uint8Array,
    report: Report,
    offset: number,
  ): Promise<Problem['verdict'] | undefined> {
    if (value === undefined) {
      report({ verdict: 'UNVERIFIABLE', part: 'certificate', what: 'no gateway has signed this tape', offset })
      return 'UNVERIFIABLE'
    }
    const certificate = decodeCertificate(value)
    if (kind === 'header') this.signer = certificate
    const signed = await this.tools.checkCertificate(certificate, kind, statement, this.#trust.gatewayKeys)
    if (signed === true) return undefined
    const { gateway, keyId } = certificate
    const verdict = signed === 'unknown' ? 'UNVERIFIABLE' : 'INVALID'
    const what =
      signed === 'unknown'
        ? `key ${keyId} of gateway ${gateway} is not among the trusted ones`
        : `the ${kind} is not what gateway ${gateway} signed`
    report({ verdict, part: 'certificate', what, offset })
    return verdict
  }
}
