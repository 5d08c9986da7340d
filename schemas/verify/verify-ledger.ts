import { hexOf, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { type LedgerVerification, MAX_PROBLEMS, type Problem, VERIFY_EXITS, worstVerdict } from '../verification.ts'
import { EntryKeys, type EntryState } from './entry-keys.ts'
import { LedgerFacts } from './ledger-facts.ts'
import { type LedgerLine, ledgerKeys, MAX_SEQUENCE_READ, parseLine, type SignedEntry, tileNumberOf } from './ledger-line.ts'
import { MerkleStack } from './merkle.ts'
import { MAX_NOTE_SIZE, noteKeysOf, parseCheckpoint, signersOf } from './note.ts'
import { Sequence } from './sequence.ts'
import { type GatewayKey, isUnreadable, type ObjectSource, type VerifyTools } from './tools.ts'

export interface LedgerTrust {
  readonly gatewayKeys: readonly GatewayKey[]
}

export interface LedgerHost {
  readonly source: ObjectSource
  readonly tools: VerifyTools
}

/** One leaf, checked. */
export interface CheckedEntry {
  readonly index: number
  readonly line: LedgerLine
  /** Undefined where the line is no entry. */
  readonly entry: SignedEntry | undefined
  readonly state: EntryState | 'malformed'
}

export interface LedgerOptions {
  /** The time of the verification: what is younger than a minute may still be on its way. */
  readonly nowMs: number
  readonly onEntry?: (entry: CheckedEntry) => void
  readonly signal?: AbortSignal
}

export interface VerifiedLedger {
  readonly result: LedgerVerification
  /** What it says of sessions: by entries that trusted gateways have signed, and by no others. */
  readonly facts: LedgerFacts
  /** Roots of the checkpoints that are of these entries, hex, by size. */
  readonly checkpoints: ReadonlyMap<number, string>
  /** Every entry could be read. Where not, nothing follows from what the entries that could do not say. */
  readonly whole: boolean
  /** The same of its checkpoints. */
  readonly checkpointsWhole: boolean
  /** Writers with entries by keys that are not trusted: what they say is not known. */
  readonly strangers: ReadonlySet<string>
}

interface FoundCheckpoint {
  readonly size: number
  readonly root: Uint8Array
  readonly object: string
  readonly good: boolean
}

const SEQUENCE_NUMBER = /^\d{4,}$/

/**
 * Reads a ledger from its first line to its last, in memory that grows with sessions and checkpoints alone: signatures, numbers, the tree against
 * every checkpoint. Undefined where the store has no ledger. Never rejects on what it holds.
 */
export function verifyLedger(host: LedgerHost, trust: LedgerTrust, options: LedgerOptions): Promise<VerifiedLedger | undefined> {
  return new LedgerVerifier(host, trust, options).run()
}

class LedgerVerifier {
  readonly #source: ObjectSource
  readonly #tools: VerifyTools
  readonly #gatewayKeys: readonly GatewayKey[]
  readonly #keys: EntryKeys
  readonly #options: LedgerOptions
  readonly #tree: MerkleStack
  readonly #facts: LedgerFacts
  readonly #problems: Problem[] = []
  readonly #verdicts = new Set<Problem['verdict']>()
  readonly #strangerKeys = new Set<string>()
  readonly #strangers = new Set<string>()
  #problemCount = 0
  #malformed = 0
  #whole = true
  #checkpointsWhole = true
  #originRead = true

  constructor({ source, tools }: LedgerHost, { gatewayKeys }: LedgerTrust, options: LedgerOptions) {
    this.#source = source
    this.#tools = tools
    this.#options = options
    this.#gatewayKeys = gatewayKeys
    this.#keys = new EntryKeys(tools, gatewayKeys)
    this.#tree = new MerkleStack((bytes) => tools.sha256(bytes))
    this.#facts = new LedgerFacts(tools, (problem) => this.#report(problem))
  }

  async run(): Promise<VerifiedLedger | undefined> {
    // Listed before the sequence is read: what is published meanwhile is of no concern.
    const objects = await this.#keysIn(ledgerKeys.sequencePrefix, 'entry')
    const origin = await this.#origin()
    const checkpoints = await this.#checkpoints(origin)
    const nothing = objects.length === 0 && checkpoints.length === 0 && origin === undefined
    if (nothing && this.#whole && this.#checkpointsWhole && this.#originRead) return undefined
    const sequence = new Sequence()
    const fitting = new Map<number, string>()
    let next = 0
    for await (const line of this.#linesOf(sequence)) {
      await this.#line(line, sequence.count - 1)
      for (let found = checkpoints[next]; found !== undefined && found.size <= this.#tree.count; found = checkpoints[next]) {
        next += 1
        const fits = sameBytes(found.root, this.#tree.root())
        if (!fits)
          this.#report({
            verdict: 'INVALID',
            part: 'checkpoint',
            what: `the checkpoint of size ${found.size} is not that of these entries: one of the first ${found.size} was changed, moved or taken out, or the ledger is a fork`,
            object: found.object,
          })
        else fitting.set(found.size, hexOf(found.root))
      }
    }
    for (const { size, object } of this.#whole ? checkpoints.slice(next) : [])
      this.#report({
        verdict: 'INVALID',
        part: 'checkpoint',
        what: `the checkpoint is of ${size} entries, the ledger has ${this.#tree.count}: its end was cut off, or it was rolled back`,
        object,
      })
    const lastKey = ledgerKeys.sequence(sequence.object)
    const numbered = (key: string): boolean => SEQUENCE_NUMBER.test(key.slice(ledgerKeys.sequencePrefix.length))
    for (const object of objects.filter((key) => !numbered(key)))
      this.#report({ verdict: 'INVALID', part: 'entry', what: 'the object is none of the sequence', object })
    const orphans = this.#whole ? objects.filter((key) => numbered(key) && key > lastKey) : []
    for (const object of orphans)
      this.#report({ verdict: 'INVALID', part: 'entry', what: 'entries before this object of the sequence are missing', object })
    await this.#mentions(checkpoints, fitting)
    if (this.#whole) this.#facts.finish(this.#options.nowMs)
    return {
      result: this.#result(origin ?? null, checkpoints, fitting),
      facts: this.#facts,
      checkpoints: fitting,
      whole: this.#whole,
      checkpointsWhole: this.#checkpointsWhole,
      strangers: this.#strangers,
    }
  }

  async #line(line: LedgerLine, index: number): Promise<void> {
    this.#tree.push(line.bytes)
    const entry = parseLine(line.bytes)
    const state = entry === undefined ? 'malformed' : await this.#keys.check(entry)
    const at = { object: ledgerKeys.sequence(line.object), offset: line.offset, entry: index }
    this.#options.onEntry?.({ index, line, entry, state })
    if (entry === undefined) {
      this.#malformed += 1
      return
    }
    const { gateway, n, type } = entry.statement
    if (state === 'bad')
      this.#report({
        verdict: 'INVALID',
        part: 'entry',
        what: `entry ${n} of ${gateway} (${type}) is not what ${gateway} has signed`,
        ...at,
      })
    else if (state === 'good') this.#facts.add(entry.statement, at)
    else if (!this.#strangerKeys.has(`${gateway} ${entry.keyId}`)) {
      this.#strangers.add(gateway)
      this.#strangerKeys.add(`${gateway} ${entry.keyId}`)
      this.#report({
        verdict: 'UNVERIFIABLE',
        part: 'entry',
        what: `entries of ${gateway} are signed by key ${entry.keyId}, which is not trusted`,
        ...at,
      })
    }
  }

  async #origin(): Promise<string | undefined> {
    try {
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(
        await this.#source.get(ledgerKeys.origin, { from: 0, to: 1024 }, this.#options.signal),
      )
      return text.endsWith('\n') ? text.slice(0, -1) : text
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
      this.#originRead = false
      return this.#unreadable(error, 'entry', ledgerKeys.origin)
    }
  }

  /** Everything new, as far as it can be read. */
  async *#linesOf(sequence: Sequence): AsyncGenerator<LedgerLine> {
    try {
      yield* sequence.read(this.#source, this.#options.signal, MAX_SEQUENCE_READ)
      if (sequence.offset >= MAX_SEQUENCE_READ) await this.#tooLarge(ledgerKeys.sequence(sequence.object))
    } catch (error) {
      this.#unreadable(error, 'entry', ledgerKeys.sequence(sequence.object))
    }
  }

  async #tooLarge(object: string): Promise<void> {
    const size = await this.#source.size(object, this.#options.signal)
    if (size <= MAX_SEQUENCE_READ) return
    const what = `the object has ${size} bytes, one of the sequence at most ${MAX_SEQUENCE_READ}; nothing behind them was read`
    this.#report({ verdict: 'INVALID', part: 'entry', what, object, offset: MAX_SEQUENCE_READ })
  }

  /** None where they cannot be listed, which is said. */
  async #keysIn(prefix: string, part: 'entry' | 'checkpoint'): Promise<string[]> {
    const found: string[] = []
    try {
      for await (const key of this.#source.list(prefix, this.#options.signal)) found.push(key)
      return found
    } catch (error) {
      this.#unreadable(error, part, prefix)
      return []
    }
  }

  /** Throws what is no matter of the store. */
  #unreadable(error: unknown, part: 'entry' | 'checkpoint', object: string): undefined {
    // What was listed and is not there cannot be read either.
    if (!(error instanceof ApplianceError)) throw error
    if (error.code !== 'STORE_MISSING' && !isUnreadable(error)) throw error
    if (part === 'checkpoint') this.#checkpointsWhole = false
    else if (object !== ledgerKeys.origin) this.#whole = false
    this.#report({ verdict: 'UNVERIFIABLE', part, what: `the object cannot be read: ${error.message}`, object })
  }

  /** Every checkpoint in the store, smallest first. */
  async #checkpoints(origin: string | undefined): Promise<FoundCheckpoint[]> {
    const { signal } = this.#options
    const found: FoundCheckpoint[] = []
    for (const object of await this.#keysIn(ledgerKeys.checkpointPrefix, 'checkpoint')) {
      const invalid = (what: string): void => this.#report({ verdict: 'INVALID', part: 'checkpoint', what, object })
      const number = tileNumberOf(object.slice(ledgerKeys.checkpointPrefix.length))
      if (number === undefined) {
        invalid('the object is no checkpoint: its name is not the number of one')
        continue
      }
      try {
        const checkpoint = parseCheckpoint(await this.#source.get(object, { from: 0, to: MAX_NOTE_SIZE + 1 }, signal))
        if (checkpoint.size !== number) invalid(`the checkpoint is that of size ${checkpoint.size}`)
        if (this.#originRead && checkpoint.origin !== origin) invalid(`the checkpoint is that of the log ${checkpoint.origin}`)
        const signers = await signersOf(
          this.#tools,
          checkpoint.note,
          noteKeysOf(this.#tools, checkpoint.origin, this.#gatewayKeys),
        )
        if (signers === false) invalid('a signature of the checkpoint is wrong')
        else if (signers.length === 0)
          this.#report({
            verdict: 'UNVERIFIABLE',
            part: 'checkpoint',
            what: 'the checkpoint is signed by no trusted key',
            object,
          })
        found.push({ size: checkpoint.size, root: checkpoint.root, object, good: signers !== false && signers.length > 0 })
      } catch (error) {
        if (error instanceof ApplianceError && error.code === 'LEDGER_MALFORMED') invalid(error.message)
        else this.#unreadable(error, 'checkpoint', object)
      }
    }
    return found.sort((a, b) => a.size - b.size)
  }

  /** Checkpoints that entries tell of are there, and the ones told of. */
  async #mentions(checkpoints: readonly FoundCheckpoint[], fitting: ReadonlyMap<number, string>): Promise<void> {
    const newest = checkpoints.at(-1)?.size ?? 0
    const sizes = new Set(checkpoints.map(({ size }) => size))
    for (const [size, { root, at }] of this.#facts.mentioned) {
      const known = sizes.has(size)
      if (!known && !this.#checkpointsWhole) continue
      const missing = {
        verdict: 'INVALID',
        part: 'checkpoint',
        what: `the checkpoint of size ${size}, which a gateway has seen, is not there`,
        ...at,
      } as const
      if (size > newest) {
        const there = this.#source.size(ledgerKeys.checkpoint(size))
        if (!(await there.then(() => true, isUnreadable))) this.#report(missing)
      } else if (!known) this.#report(missing)
      else if ((fitting.get(size) ?? root) !== root)
        this.#report({ ...missing, what: `a gateway has seen another checkpoint of size ${size}: the ledger is a fork` })
    }
  }

  #report(problem: Problem): void {
    this.#problemCount += 1
    this.#verdicts.add(problem.verdict)
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem)
  }

  #result(
    origin: string | null,
    checkpoints: readonly FoundCheckpoint[],
    fitting: ReadonlyMap<number, string>,
  ): LedgerVerification {
    const verdict = worstVerdict(this.#verdicts)
    const newest = checkpoints.findLast(({ size, good: signed }) => signed && fitting.has(size))
    return {
      verdict,
      exit: VERIFY_EXITS[verdict],
      origin,
      size: this.#tree.count,
      malformed: this.#malformed,
      root: hexOf(this.#tree.root()),
      checkpoints: checkpoints.length,
      checkpoint: newest === undefined ? null : { size: newest.size, root: hexOf(newest.root), object: newest.object },
      writers: this.#facts.writers(),
      problems: this.#problems,
      problemCount: this.#problemCount,
    }
  }
}
