import { hexOf, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import {
  type Certificate,
  decodeCertificate,
  decodeHeader,
  decodeRecovery,
  decodeStatement,
  type IndexRow,
  newerVersion,
  type RecoveryStatement,
  type TapeHeader,
  tapeKeys,
} from '../tape.ts'
import { MAX_PROBLEMS, type Problem, type TapeVerification, VERIFY_EXITS, worstVerdict } from '../verification.ts'
import { ChainVerifier, checkFooter, checkIndex, type Report } from './chain.ts'
import { told } from './frames.ts'
import { ObjectWindow, type Piece, recordAt, scanSegment } from './scan.ts'
import type { GatewayKey, ObjectSource, VerifyTools } from './tools.ts'

/** It has 32 bytes; what stands in its place may have any number. */
const MAX_SALT_KEY_SIZE = 32

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
  readonly signal?: AbortSignal
}

/**
 * Verifies one tape as it stands in the store: every byte of it, in constant memory. Goes on behind whatever is wrong.
 * Rejects STORE_MISSING where there is nothing of the session at all; never on what the tape holds.
 */
export async function verifyTapeWith(
  host: VerifyHost,
  id: string,
  trust: TapeTrust,
  options: VerifyOptions = {},
): Promise<TapeVerification> {
  return new TapeVerifier(host, id, trust, options).run()
}

type RecordPiece = Piece & { kind: 'record' }

class TapeVerifier {
  readonly #store: ObjectSource
  readonly #tools: VerifyTools
  readonly #id: string
  readonly #trust: TapeTrust
  readonly #onChunk: VerifyOptions['onChunk']
  readonly #onHeader: VerifyOptions['onHeader']
  readonly #signal: AbortSignal | undefined
  readonly #problems: Problem[] = []
  readonly #verdicts = new Set<Problem['verdict']>()
  #problemCount = 0
  #header: TapeHeader | undefined
  #signer: Certificate | undefined
  #chain: ChainVerifier | undefined
  #saltKey: Uint8Array | undefined

  constructor(host: VerifyHost, id: string, trust: TapeTrust, options: VerifyOptions) {
    this.#store = host.source
    this.#tools = host.tools
    this.#id = id
    this.#trust = trust
    this.#onChunk = options.onChunk
    this.#onHeader = options.onHeader
    this.#signal = options.signal
  }

  async run(): Promise<TapeVerification> {
    const keys = await this.#readable(tapeKeys.prefix(this.#id), () => this.#keys())
    if (keys === undefined) return this.#result(undefined, undefined)
    if (keys.length === 0) throw new ApplianceError('STORE_MISSING', `the store has nothing of ${this.#id}`)
    const recovery = keys.includes(tapeKeys.recovered(this.#id))
      ? await this.#readable(tapeKeys.recovered(this.#id), () => this.#recovery())
      : undefined
    await this.#segments(keys, recovery)
    const recovered =
      recovery === undefined ? undefined : await this.#readable(tapeKeys.recovered(this.#id), () => this.#recovered(recovery))
    return this.#result(recovery, recovered)
  }

  async #segments(keys: readonly string[], recovery: RecoveryStatement | undefined): Promise<void> {
    const numbers = keys.flatMap((key) => /\/(\d{4})\.tape$/.exec(key)?.[1] ?? []).map(Number)
    if (numbers.length === 0) this.#missing(0, 'the tape is missing, parts beside it are there')
    for (const [place, number] of numbers.entries()) {
      const expected = place === 0 ? 0 : (numbers[place - 1] ?? 0) + 1
      if (number !== expected) {
        this.#missing(expected, `segment ${expected} is missing, later ones are there`)
        this.#chain?.break()
      }
      // Without the first header nothing says by which key or salt anything could be checked.
      if (number > 0 && this.#chain === undefined) return
      const key = tapeKeys.segment(this.#id, number)
      const index = tapeKeys.index(this.#id, number)
      await this.#readable(key, async () => {
        const rows = await this.#segment(key, number, place === numbers.length - 1, recovery)
        if (keys.includes(index)) await this.#readable(index, () => this.#sidecar(index, number, rows))
      })
    }
  }

  #missing(number: number, what: string): void {
    this.#report(tapeKeys.segment(this.#id, number))({ verdict: 'INVALID', part: 'segment', what })
  }

  /** Of an object that cannot be read nothing is known; what stands beside it is read all the same. */
  async #readable<T>(key: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ApplianceError) || error.code !== 'STORE_FAILED') throw error
      this.#report(key)({ verdict: 'UNVERIFIABLE', part: 'segment', what: `the object cannot be read: ${error.message}` })
      this.#chain?.lose()
      return undefined
    }
  }

  /** What a recovery put beside a segment that had no index of its own. */
  async #sidecar(key: string, number: number, rows: readonly IndexRow[]): Promise<void> {
    const report = this.#report(key)
    const object = await ObjectWindow.open(this.#store, this.#tools, key, this.#signal)
    const record = await recordAt(object, 0)
    if (record?.type !== 'index' || record.size !== object.size)
      report({ verdict: 'INVALID', part: 'index', what: 'the object is not one index record', offset: 0 })
    else await this.#index(record, number, rows, this.#chain, report)
  }

  /** Behind damage the rows cannot agree, and that has been said. */
  async #index(
    piece: RecordPiece,
    segment: number,
    chunks: readonly IndexRow[],
    chain: ChainVerifier | undefined,
    report: Report,
  ): Promise<void> {
    const expected = { segment, chunks, density: chain?.sound === true ? chain.density.result() : undefined }
    if (!this.#verdicts.has('INVALID') && this.#saltKey !== undefined)
      await checkIndex(this.#tools, piece, expected, chain?.seal, report)
    else if (!piece.intact) report({ verdict: 'INVALID', part: 'index', what: 'the index was changed', offset: piece.offset })
  }

  async #keys(): Promise<string[]> {
    const keys: string[] = []
    for await (const key of this.#store.list(tapeKeys.prefix(this.#id), this.#signal)) keys.push(key)
    return keys
  }

  async #segment(key: string, number: number, last: boolean, recovery: RecoveryStatement | undefined): Promise<IndexRow[]> {
    const report = this.#report(key)
    if (this.#chain?.seal !== undefined) report({ verdict: 'INVALID', part: 'segment', what: 'a segment follows the sealed end' })
    const object = await ObjectWindow.open(this.#store, this.#tools, key, this.#signal)
    // What stands behind the last good record at a recovery is what the crash cut: it never counted.
    const cutAt =
      recovery !== undefined && number >= recovery.segment ? (number === recovery.segment ? recovery.offset : 0) : undefined
    const rows: IndexRow[] = []
    let index: RecordPiece | undefined
    let ended = false
    let begun = false
    for await (const piece of scanSegment(object)) {
      if (cutAt !== undefined && piece.kind !== 'magic' && piece.offset >= cutAt) {
        report({
          verdict: 'VALID-INCOMPLETE',
          part: 'end',
          what: `${object.size - piece.offset} bytes were cut off by the crash`,
          offset: piece.offset,
        })
        return rows
      }
      if (ended && piece.kind !== 'magic') {
        report({
          verdict: 'INVALID',
          part: 'end',
          what: `${object.size - piece.offset} bytes stand behind the end`,
          offset: piece.offset,
        })
        return rows
      }
      switch (piece.kind) {
        case 'magic':
          if (piece.newer !== undefined) {
            this.#newer(piece.newer, 'magic', 0, report)
            return rows
          }
          if (!piece.ok)
            report({ verdict: 'INVALID', part: 'magic', what: 'the segment does not begin with the tape’s magic', offset: 0 })
          break
        case 'torn':
          this.#torn(piece, last, report)
          return rows
        case 'damage':
          report({
            verdict: 'INVALID',
            part: 'record',
            what: `${piece.end - piece.offset} bytes are not a record`,
            offset: piece.offset,
            ...this.#nextChunk(),
          })
          this.#chain?.break()
          break
        case 'footer':
          checkFooter(
            this.#tools,
            piece,
            index,
            { segment: number, last: this.#chain?.seal !== undefined, fileSize: object.size },
            report,
          )
          ended = true
          break
        case 'record':
          if (index !== undefined)
            report({
              verdict: 'INVALID',
              part: 'order',
              what: `a ${piece.type} record stands behind the index`,
              offset: piece.offset,
            })
          if (piece.type === 'header' && !begun) {
            begun = true
            await this.#begin(piece, number, report)
          } else if (piece.type === 'chunk') {
            const row = await this.#chunk(this.#chain, piece, report, false)
            if (row !== undefined) rows.push(row)
          } else if (piece.type === 'seal') await this.#chain?.end(piece, report)
          else if (piece.type === 'index') {
            index = piece
            await this.#index(piece, number, rows, this.#chain, report)
          } else
            report({ verdict: 'INVALID', part: 'order', what: `a ${piece.type} record has no place here`, offset: piece.offset })
          break
        default:
          piece satisfies never
      }
    }
    if (object.end < object.size) this.#oversize(object, report)
    else this.#ended(object, ended, last, report)
    return rows
  }

  #oversize({ size, end }: ObjectWindow, report: Report): void {
    const what = `the object has ${size} bytes, a segment at most ${end}; nothing behind them was read`
    report({ verdict: 'INVALID', part: 'segment', what, offset: end })
    this.#chain?.break()
  }

  #newer(version: number, part: 'magic' | 'header', offset: number, report: Report): void {
    const what = `written in version ${version} of the format, which this verifier does not know; a newer one can read it`
    report({ verdict: 'UNVERIFIABLE', part, what, offset })
    this.#chain?.break()
  }

  async #chunk(
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
      const state = wrong ? 'bad' : chain.broken || this.#saltKey === undefined ? 'unattested' : 'good'
      this.#onChunk?.({ n: row[2], firstSeq: row[3], count: row[4], state, recovered, head: chain.head })
    }
    return row
  }

  #torn(piece: Piece & { kind: 'torn' }, last: boolean, report: Report): void {
    const what = `the segment ends inside a record, ${piece.end - piece.offset} bytes into it`
    if (last)
      report({
        verdict: 'VALID-INCOMPLETE',
        part: 'end',
        what: `${what}: cut by a crash or by somebody`,
        offset: piece.offset,
        ...this.#nextChunk(),
      })
    else report({ verdict: 'INVALID', part: 'end', what: `${what}, and another segment follows`, offset: piece.offset })
    if (this.#chain === undefined) this.#headless(report)
    else if (last) this.#unsealed(report, piece.offset)
  }

  #headless(report: Report): void {
    report({ verdict: 'UNVERIFIABLE', part: 'header', what: 'the segment has no header that could be checked' })
  }

  #ended(object: ObjectWindow, ended: boolean, last: boolean, report: Report): void {
    if (this.#chain === undefined) {
      this.#headless(report)
      return
    }
    if (!last) {
      if (!ended)
        report({ verdict: 'INVALID', part: 'end', what: 'the segment has no end, and another follows', offset: object.size })
      return
    }
    if (this.#chain.seal === undefined) this.#unsealed(report, object.size)
    else if (!ended)
      report({
        verdict: 'VALID-INCOMPLETE',
        part: 'footer',
        what: 'the tape is sealed, but its index or footer is missing',
        offset: object.size,
      })
  }

  #unsealed(report: Report, offset: number): void {
    if (this.#chain?.seal !== undefined) return
    report({
      verdict: 'VALID-INCOMPLETE',
      part: 'end',
      what: 'the tape has no seal: being recorded, crashed, or cut',
      offset,
      ...this.#nextChunk(),
    })
  }

  #nextChunk(): { readonly chunk?: number } {
    return this.#chain === undefined ? {} : { chunk: this.#chain.n }
  }

  async #begin(piece: RecordPiece, number: number, report: Report): Promise<void> {
    const { offset } = piece
    const invalid = (what: string): void => report({ verdict: 'INVALID', part: 'header', what, offset })
    try {
      const { statement, rest } = decodeStatement(piece.payload)
      const newer = newerVersion(statement)
      if (newer !== undefined) {
        this.#newer(newer, 'header', offset, report)
        return
      }
      const header = decodeHeader(statement)
      let said = false
      if ('session' in header) {
        if (number !== 0) {
          invalid(`the header is that of the first segment, not of ${number}`)
          return
        }
        this.#header = header
        this.#onHeader?.(this.#tools.sha256(statement), header.checkpoint)
        said = (await this.#certificate(rest[0], 'header', statement, report, offset)) === 'INVALID'
        if (header.session.id !== this.#id) invalid(`the tape is that of ${header.session.id}`)
        await this.#salt(header)
        const leaves = this.#saltKey === undefined ? undefined : this.#tools.leaves(this.#saltKey)
        this.#chain = new ChainVerifier(this.#id, this.#tools, leaves, false, {
          n: 0,
          seq: 0,
          head: this.#tools.sha256(statement),
          key: header.epoch,
        })
      } else {
        const chain = this.#chain
        if (chain === undefined || number === 0) {
          invalid(`the header is that of segment ${header.segment}`)
          return
        }
        const follows = chain.lost || (header.chunk === chain.n && header.seq === chain.seq && sameBytes(header.prev, chain.head))
        if (chain.lost) chain.resume(header.chunk, header.seq)
        if (!follows || header.id !== this.#id || header.segment !== number) {
          said = true
          invalid('the segment does not follow the one before it')
        }
        chain.begin(statement)
      }
      if (!piece.intact && !said) invalid('the header’s stored checksum was changed')
    } catch (error) {
      invalid(told(error))
      this.#chain?.break()
    }
  }

  /** What was reported, if anything. */
  async #certificate(
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
    if (kind === 'header') this.#signer = certificate
    const signed = await this.#tools.checkCertificate(certificate, kind, statement, this.#trust.gatewayKeys)
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

  async #salt(header: TapeHeader): Promise<void> {
    const key = tapeKeys.salt(this.#id)
    try {
      const salt = await this.#store.get(key, { from: 0, to: MAX_SALT_KEY_SIZE + 1 }, this.#signal)
      if (sameBytes(header.salt, this.#tools.sha256(salt))) this.#saltKey = salt
      else
        this.#report(key)({
          verdict: 'INVALID',
          part: 'salt',
          what: 'the salt key is not the one the header commits to; frames cannot be checked',
        })
    } catch (error) {
      if (!(error instanceof ApplianceError) || !error.code.startsWith('STORE_')) throw error
      const why = error.code === 'STORE_MISSING' ? 'is missing' : 'cannot be read'
      this.#report(key)({ verdict: 'UNVERIFIABLE', part: 'salt', what: `the salt key ${why}; frames cannot be checked` })
    }
  }

  /** The recovery's statement, where it is whole and signed by a trusted gateway: only then may it say where the tape was cut. */
  async #recovery(): Promise<RecoveryStatement | undefined> {
    const key = tapeKeys.recovered(this.#id)
    const report = this.#report(key)
    const object = await ObjectWindow.open(this.#store, this.#tools, key, this.#signal)
    const record = await recordAt(object, 8)
    try {
      if (record?.type !== 'recovery' || !record.intact)
        throw new ApplianceError('TAPE_MALFORMED', 'the recovery statement was changed')
      const { statement, rest } = decodeStatement(record.payload)
      const recovery = decodeRecovery(statement)
      if ((await this.#certificate(rest[0], 'recovery', statement, report, record.offset)) !== undefined) return undefined
      if (recovery.id === this.#id) return recovery
      report({ verdict: 'INVALID', part: 'recovery', what: `the recovery is that of ${recovery.id}`, offset: record.offset })
    } catch (error) {
      report({ verdict: 'INVALID', part: 'recovery', what: told(error), offset: 8 })
    }
    return undefined
  }

  async #recovered(recovery: RecoveryStatement): Promise<ChainVerifier | undefined> {
    const key = tapeKeys.recovered(this.#id)
    const report = this.#report(key)
    const main = this.#chain
    if (main === undefined) return undefined
    if (main.seal !== undefined) report({ verdict: 'INVALID', part: 'recovery', what: 'a sealed tape has nothing to recover' })
    const fits = main.lost || (recovery.chunks === main.n && recovery.frames === main.seq && sameBytes(recovery.head, main.head))
    if (!fits) {
      const frames = recovery.frames > main.seq ? { frames: [main.seq, recovery.frames - 1] as const } : {}
      report({
        verdict: 'INVALID',
        part: 'recovery',
        what: `at the recovery the tape had ${recovery.frames} frames, now it has ${main.seq}`,
        ...frames,
      })
    }
    const object = await ObjectWindow.open(this.#store, this.#tools, key, this.#signal)
    const leaves = this.#saltKey === undefined ? undefined : this.#tools.leaves(this.#saltKey)
    let chain: ChainVerifier | undefined
    let [index, ended]: [RecordPiece | undefined, boolean] = [undefined, false]
    const rows: IndexRow[] = []
    for await (const piece of scanSegment(object)) {
      if (piece.kind === 'magic') {
        if (!piece.ok)
          report({ verdict: 'INVALID', part: 'magic', what: 'the recovery does not begin with the tape’s magic', offset: 0 })
      } else if (ended) report({ verdict: 'INVALID', part: 'end', what: 'bytes stand behind the end', offset: piece.offset })
      else if (piece.kind === 'footer') {
        checkFooter(this.#tools, piece, index, { segment: 0, last: chain?.seal !== undefined, fileSize: object.size }, report)
        ended = true
      } else if (piece.kind !== 'record') {
        // Recoveries are written whole or not at all.
        report({ verdict: 'INVALID', part: 'recovery', what: 'the recovery is damaged or cut', offset: piece.offset })
        chain?.break()
      } else if (piece.type === 'recovery' && chain === undefined) {
        const { statement } = decodeStatement(piece.payload)
        const start = { n: recovery.chunks, seq: recovery.frames, head: this.#tools.sha256(statement), key: recovery.epoch }
        chain = new ChainVerifier(this.#id, this.#tools, leaves, true, start)
      } else if (piece.type === 'chunk') {
        const row = await this.#chunk(chain, piece, report, true)
        if (row !== undefined) rows.push(row)
      } else if (piece.type === 'seal') await chain?.end(piece, report)
      else if (piece.type === 'index' && index === undefined) {
        index = piece
        await this.#index(piece, 0, rows, chain, report)
      } else report({ verdict: 'INVALID', part: 'order', what: `a ${piece.type} record has no place here`, offset: piece.offset })
    }
    if (!ended || chain?.seal === undefined) report({ verdict: 'INVALID', part: 'recovery', what: 'the recovery has no end' })
    if (chain !== undefined && chain.seq !== recovery.frames + recovery.recovered) {
      report({
        verdict: 'INVALID',
        part: 'recovery',
        what: `the recovery has ${chain.seq - recovery.frames} frames, its statement says ${recovery.recovered}`,
      })
    }
    const what = `the gateway's process ended without sealing; ${recovery.recovered} frames are attested by recovery only`
    report({ verdict: 'VALID-INCOMPLETE', part: 'recovery', what })
    return chain
  }

  #report(object: string): Report {
    return (problem) => {
      this.#problemCount += 1
      this.#verdicts.add(problem.verdict)
      if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ ...problem, object })
    }
  }

  #result(recovery: RecoveryStatement | undefined, recovered: ChainVerifier | undefined): TapeVerification {
    const chain = this.#chain
    const verdict = worstVerdict(this.#verdicts)
    const session = this.#header?.session
    return {
      session: this.#id,
      verdict,
      exit: VERIFY_EXITS[verdict],
      state:
        chain === undefined ? 'unreadable' : chain.seal !== undefined ? 'sealed' : recovery !== undefined ? 'recovered' : 'open',
      frames: (chain?.good ?? 0) + (recovered?.good ?? 0),
      chunks: (chain?.chunks ?? 0) + (recovered?.chunks ?? 0),
      recovered:
        recovery === undefined || recovered === undefined || recovered.good === 0
          ? null
          : {
              first: recovery.frames,
              last: recovery.frames + recovered.good - 1,
              by: recovery.gateway,
              at: recovery.recoveredAt,
            },
      unattested: (chain?.unattested ?? 0) + (recovered?.unattested ?? 0),
      lastGood: recovered?.lastGood ?? chain?.lastGood ?? null,
      durability: session?.durability ?? null,
      lossWindow: this.#header?.lossWindow ?? null,
      signer:
        this.#signer === undefined
          ? null
          : { gateway: this.#signer.gateway, algorithm: this.#signer.algorithm, keyId: this.#signer.keyId },
      root: chain?.seal === undefined ? null : hexOf(chain.seal.root),
      problems: this.#problems,
      problemCount: this.#problemCount,
    }
  }
}
