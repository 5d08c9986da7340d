import { hexOf, joinBytes, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { decodeExcerpt, type Excerpt, type ExcerptFrame, type ExcerptLink } from '../excerpt.ts'
import type { Certificate, ChunkHeader, RecoveryStatement, SealStatement, TapeHeader } from '../tape.ts'
import { decodeChunkHeader } from '../tape-chunk.ts'
import { decodeFrame } from '../tape-frame.ts'
import { decodeHeader, decodeRecovery, decodeSeal, newerVersion } from '../tape-statement.ts'
import { MAX_PROBLEMS, type Problem, type TapeVerification, VERIFY_EXITS, worstVerdict } from '../verification.ts'
import { told } from './frames.ts'
import { MerkleStack } from './merkle.ts'
import type { GatewayKey, VerifyTools } from './tools.ts'
import { rootFromInclusion } from './tree.ts'

const LEAF = Uint8Array.of(0x00)

/**
 * Verifies an excerpt: that its frames are frames of the tape it says, by the tape's own signatures, and that they are the ones it says
 * it discloses. `object` is what problems call it.
 */
export async function verifyExcerpt(
  tools: VerifyTools,
  bytes: Uint8Array,
  object: string,
  gatewayKeys: readonly GatewayKey[],
): Promise<TapeVerification> {
  return new ExcerptVerifier(tools, object, gatewayKeys).run(bytes)
}

class ExcerptVerifier {
  readonly #tools: VerifyTools
  readonly #object: string
  readonly #gatewayKeys: readonly GatewayKey[]
  readonly #problems: Problem[] = []
  #session = ''
  #header: TapeHeader | undefined
  #signer: Certificate | undefined
  #recovery: RecoveryStatement | undefined
  #seal: SealStatement | undefined
  readonly #chunks: ChunkHeader[] = []
  // What the next link must say.
  #key: Uint8Array = new Uint8Array(0)
  #head: Uint8Array = new Uint8Array(0)
  #n = 0
  #seq = 0
  #lastUs = 0
  #tree: MerkleStack

  constructor(tools: VerifyTools, object: string, gatewayKeys: readonly GatewayKey[]) {
    this.#tools = tools
    this.#object = object
    this.#gatewayKeys = gatewayKeys
    this.#tree = new MerkleStack((bytes) => tools.sha256(bytes))
  }

  async run(bytes: Uint8Array): Promise<TapeVerification> {
    let excerpt: ReturnType<typeof decodeExcerpt>
    try {
      excerpt = decodeExcerpt(bytes)
    } catch (error) {
      this.#invalid('header', told(error))
      return this.#result([], 0)
    }
    if ('newer' in excerpt) {
      this.#say('UNVERIFIABLE', 'header', `an excerpt of version ${excerpt.newer}, which a newer verifier can read`)
      return this.#result([], 0)
    }
    this.#session = excerpt.session
    if (!(await this.#begin(excerpt))) return this.#result(excerpt.disclosed, 0)
    for (const link of excerpt.chain) await this.#link(link)
    if (this.#seal === undefined && this.#recovery === undefined)
      this.#say('VALID-INCOMPLETE', 'end', 'the tape has no seal: being recorded, crashed, or cut')
    return this.#result(excerpt.disclosed, this.#frames(excerpt))
  }

  async #begin({ session, header }: Excerpt): Promise<boolean> {
    const newer = newerVersion(header.statement)
    if (newer !== undefined) {
      this.#say('UNVERIFIABLE', 'header', `the tape is of version ${newer}, which a newer verifier can read`)
      return false
    }
    try {
      const decoded = decodeHeader(header.statement)
      if (!('session' in decoded)) throw new ApplianceError('TAPE_MALFORMED', 'the header is that of a later segment')
      this.#header = decoded
      this.#signer = header.certificate
      await this.#certificate('header', header.statement, header.certificate)
      if (decoded.session.id !== session) this.#invalid('header', `the tape is that of ${decoded.session.id}`)
      this.#key = decoded.epoch
      this.#head = this.#tools.sha256(header.statement)
      return true
    } catch (error) {
      this.#invalid('header', told(error))
      return false
    }
  }

  async #link(link: ExcerptLink): Promise<void> {
    try {
      if (this.#seal !== undefined) this.#invalid('order', 'something stands behind the seal')
      switch (link.kind) {
        case 'segment':
          this.#segment(link.statement)
          break
        case 'chunk':
          await this.#chunk(link.header, link.signature)
          break
        case 'recovery':
          await this.#recovered(link.statement, link.certificate)
          break
        case 'seal':
          await this.#end(link.statement, link.signature)
          break
        default:
          link satisfies never
      }
    } catch (error) {
      this.#invalid(link.kind === 'chunk' ? 'chunk-header' : link.kind === 'segment' ? 'header' : link.kind, told(error))
    }
  }

  #segment(statement: Uint8Array): void {
    const header = decodeHeader(statement)
    const fits =
      !('session' in header) &&
      header.id === this.#session &&
      header.chunk === this.#n &&
      header.seq === this.#seq &&
      sameBytes(header.prev, this.#head)
    if (!fits) this.#invalid('header', 'the segment does not follow the one before it')
    this.#head = this.#tools.sha256(statement)
  }

  async #chunk(bytes: Uint8Array, signature: Uint8Array): Promise<void> {
    const header = decodeChunkHeader(bytes)
    const { n, firstSeq, count, firstUs, lastUs } = header
    const where = { chunk: n, ...(count === 0 ? {} : { frames: [firstSeq, firstSeq + count - 1] as const }) }
    if (!(await this.#tools.verifyEpoch('chunk', bytes, signature, this.#key)))
      this.#invalid('signature', 'the chunk is not signed by the key its predecessor names', where)
    if (n !== this.#n || firstSeq !== this.#seq || !sameBytes(header.prev, this.#head))
      this.#invalid('order', 'the chunk does not follow the one before it', where)
    if (firstUs < this.#lastUs || lastUs < firstUs) this.#invalid('order', 'the chunk is older than the one before it', where)
    this.#chunks.push(header)
    this.#tree.push(bytes)
    this.#n = n + 1
    this.#seq = firstSeq + count
    this.#lastUs = lastUs
    this.#key = header.nextKey
    this.#head = this.#tools.sha256(joinBytes(bytes, signature))
  }

  async #recovered(statement: Uint8Array, certificate: Certificate | undefined): Promise<void> {
    const recovery = decodeRecovery(statement)
    await this.#certificate('recovery', statement, certificate)
    const fits =
      this.#recovery === undefined &&
      recovery.id === this.#session &&
      recovery.chunks === this.#n &&
      recovery.frames === this.#seq &&
      sameBytes(recovery.head, this.#head)
    if (!fits) this.#invalid('recovery', 'the recovery does not follow the tape')
    this.#recovery = recovery
    this.#key = recovery.epoch
    this.#head = this.#tools.sha256(statement)
    this.#tree = new MerkleStack((bytes) => this.#tools.sha256(bytes))
    this.#say('VALID-INCOMPLETE', 'recovery', `frames from ${recovery.frames} on are attested by recovery only`)
  }

  async #end(statement: Uint8Array, signature: Uint8Array): Promise<void> {
    const seal = decodeSeal(statement)
    if (!(await this.#tools.verifyEpoch('seal', statement, signature, this.#key)))
      this.#invalid('seal', 'the seal is not signed by the key the last chunk names')
    const fits =
      seal.id === this.#session &&
      seal.chunks === this.#tree.count &&
      sameBytes(seal.root, this.#tree.root()) &&
      sameBytes(seal.head, this.#head)
    if (!fits) this.#invalid('seal', 'the seal is not that of these chunks')
    this.#seal = seal
  }

  async #certificate(kind: 'header' | 'recovery', statement: Uint8Array, certificate: Certificate | undefined): Promise<void> {
    if (certificate === undefined) {
      this.#say('UNVERIFIABLE', 'certificate', 'no gateway has signed this tape')
      return
    }
    const { gateway, keyId } = certificate
    const signed = await this.#tools.checkCertificate(certificate, kind, statement, this.#gatewayKeys)
    if (signed === 'unknown')
      this.#say('UNVERIFIABLE', 'certificate', `key ${keyId} of gateway ${gateway} is not among the trusted ones`)
    else if (!signed) this.#invalid('certificate', `the ${kind} is not what gateway ${gateway} signed`)
  }

  /** How many frames are what the tape's roots say, and said to be disclosed. */
  #frames({ disclosed, frames }: Excerpt): number {
    let [good, at, before] = [0, 0, -1]
    for (const [first, last] of disclosed) {
      if (first <= before || last < first)
        this.#invalid('frames', 'the runs of disclosed frames are not in order', { frames: [first, last] })
      before = last
      let next = first
      for (; at < frames.length; at += 1) {
        const frame = frames[at]
        if (frame === undefined || frame.seq > last) break
        if (frame.seq < next)
          this.#invalid('frames', 'the frame is not among those disclosed, or stands twice', { frame: frame.seq })
        else {
          this.#missing(next, frame.seq - 1)
          next = frame.seq + 1
          if (this.#frame(frame)) good += 1
        }
      }
      this.#missing(next, last)
    }
    for (const { seq } of frames.slice(at)) this.#invalid('frames', 'the frame is not among those disclosed', { frame: seq })
    return good
  }

  #missing(first: number, last: number): void {
    if (first <= last) this.#invalid('frames', 'frames that are said to be disclosed are missing', { frames: [first, last] })
  }

  #frame({ seq, salt, frame, path }: ExcerptFrame): boolean {
    const chunk = this.#chunkOf(seq)
    if (chunk === undefined) {
      this.#invalid('frames', 'the tape has no such frame', { frame: seq })
      return false
    }
    const leaf = this.#tools.sha256(joinBytes(LEAF, salt, frame))
    const root = rootFromInclusion((bytes) => this.#tools.sha256(bytes), leaf, seq - chunk.firstSeq, chunk.count, path)
    const bad = (what: string): boolean => {
      this.#invalid('frames', what, { chunk: chunk.n, frame: seq })
      return false
    }
    if (root === undefined || !sameBytes(root, chunk.root)) return bad('the frame is not the one that was signed')
    try {
      const decoded = decodeFrame(frame)
      if (decoded.seq !== seq) return bad(`frame ${seq} says it is ${decoded.seq}`)
      if (decoded.atUs < chunk.firstUs || decoded.atUs > chunk.lastUs) return bad(`frame ${seq} is out of its chunk's time`)
    } catch (error) {
      return bad(told(error))
    }
    return true
  }

  /** By halves: a file may have as many frames as chunks. Where the chain is in order, that finds it; where not, that has been said. */
  #chunkOf(seq: number): ChunkHeader | undefined {
    let [from, to] = [0, this.#chunks.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#chunks[middle]?.firstSeq ?? 0) <= seq) from = middle + 1
      else to = middle
    }
    const chunk = this.#chunks[from - 1]
    return chunk !== undefined && seq < chunk.firstSeq + chunk.count ? chunk : undefined
  }

  #invalid(part: Problem['part'], what: string, where: Partial<Problem> = {}): void {
    this.#say('INVALID', part, what, where)
  }

  #say(verdict: Problem['verdict'], part: Problem['part'], what: string, where: Partial<Problem> = {}): void {
    this.#problems.push({ verdict, part, what, ...where, object: this.#object })
  }

  #result(disclosed: Excerpt['disclosed'], good: number): TapeVerification {
    const verdict = worstVerdict(this.#problems.map((problem) => problem.verdict))
    const signer = this.#signer
    const recovery = this.#recovery
    return {
      session: this.#session,
      verdict,
      exit: VERIFY_EXITS[verdict],
      state:
        this.#header === undefined
          ? 'unreadable'
          : recovery !== undefined
            ? 'recovered'
            : this.#seal !== undefined
              ? 'sealed'
              : 'open',
      frames: good,
      chunks: this.#chunks.length,
      recovered:
        recovery === undefined || this.#seq === recovery.frames
          ? null
          : { first: recovery.frames, last: this.#seq - 1, by: recovery.gateway, at: recovery.recoveredAt },
      unattested: 0,
      lastGood: null,
      durability: this.#header?.session.durability ?? null,
      lossWindow: this.#header?.lossWindow ?? null,
      signer: signer === undefined ? null : { gateway: signer.gateway, algorithm: signer.algorithm, keyId: signer.keyId },
      root: this.#seal === undefined ? null : hexOf(this.#seal.root),
      excerpt: { disclosed, hidden: this.#seq - good },
      problems: this.#problems.slice(0, MAX_PROBLEMS),
      problemCount: this.#problems.length,
    }
  }
}
