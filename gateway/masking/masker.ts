import { asks } from '../../schemas/asked.ts'
import type { Entry, Fact, Facts, Masked } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { STATEMENTS_FACT } from '../../schemas/tape.ts'
import type { VerdictNote } from '../../schemas/verdict.ts'
import type {
  Field,
  JsonTold,
  LiveRedactor,
  Message,
  Output,
  Progress,
  Redacted,
  RedactionSink,
  Redactor,
  Sieve,
  StreamRedactor,
} from '../message.ts'
import { ByteaStream, decodeBytea, isBytea } from './bytea.ts'
import { codeBytes } from './code-share.ts'
import { Covers } from './cover.ts'
import { MIN_FIELD_SIZE } from './detector.ts'
import { Scanner } from './engine.ts'
import { HIT_ENTITIES, Hits } from './hits.ts'
import { siftJson } from './json-sieve.ts'
import { JudgedCovers } from './judged-covers.ts'
import { runsAround } from './known-words.ts'
import { LiveText } from './live-text.ts'
import { withoutEscapes } from './percent.ts'
import { keptPromise } from './promised.ts'
import { CODE_NAME, type EntityName, type MaskingRules } from './rules.ts'
import { openSieve, sieveOf } from './sieve.ts'
import { type Label, ownSink, Sink } from './sink.ts'
import { Stream } from './stream.ts'

export interface MaskerOptions {
  readonly rules: MaskingRules
  /** Of one session: 16 random bytes or more. Tags of different sessions cannot be compared. */
  readonly tagKey: Uint8Array
  /** Of the whole gateway: 16 random bytes or more. Fingerprints of all sessions can be compared by whoever holds it. */
  readonly fingerprintKey: Uint8Array
  /** Of the session whose messages are recorded: tells which of them are statements. Without it, those whose facts say so. */
  readonly protocol?: ProtocolName
}

/** Shorter texts have no eight lines. */
const MIN_CODE_SIZE = 128
const CODE: Label = [CODE_NAME, `detector:${CODE_NAME}`]

const MIN_KEY_SIZE = 16
/** Strings up to this size are copied here to be scanned; longer ones get a buffer of their own. */
const SCRATCH_SIZE = 4096
const scratch = Buffer.alloc(SCRATCH_SIZE)

/** Of what stands in no field, as a fact or the gateway's own words: the name of the field before has no say in it. */
const NO_FIELD = ''

/**
 * Finds secrets and personal data in fields and covers them; the only maker of `Masked` values.
 * One per session; synchronous; linear in its input; never calls back.
 */
export class Masker implements Redactor {
  readonly #rules: MaskingRules
  readonly #protocol: ProtocolName | undefined
  readonly #scanner: Scanner
  readonly #covers: Covers
  readonly #judged: JudgedCovers
  readonly #hits = new Hits()
  /** Words of the gateway that stand on the tape as they are: who ended the session. */
  evidence: string | undefined
  readonly #cleanLists = new WeakSet<readonly string[]>()

  constructor(options: MaskerOptions) {
    if (options.tagKey.length < MIN_KEY_SIZE || options.fingerprintKey.length < MIN_KEY_SIZE) {
      throw new RangeError(`masking keys need ${MIN_KEY_SIZE} bytes or more`)
    }
    this.#rules = options.rules
    this.#protocol = options.protocol
    this.#scanner = new Scanner(options.rules)
    this.#covers = new Covers(options.rules, options.tagKey, options.fingerprintKey)
    this.#judged = new JudgedCovers(options.rules, this.#covers)
  }

  /** What scanning did so far: candidates tried, fields masked as `overload`. */
  get counters(): { readonly candidateCount: number; readonly overloadCount: number } {
    return { candidateCount: this.#scanner.candidateCount, overloadCount: this.#scanner.overloadCount }
  }

  clean(source: Uint8Array, from: number, to: number, field: Field, suspect = -1): boolean {
    if (from >= to) return true
    switch (field.action) {
      case 'scan':
        if (suspect >= 0 && this.#judged.firstHit(suspect) >= 0) return false
        this.#scanner.path = field.path
        if (this.#isCode(field, source, from, to)) return false
        if (this.#promised(field, source, from, to) !== undefined) return false
        if (field.encoding !== undefined) return this.#cleanBytea(source, from, to)
        return this.#scanner.clean(source, from, to)
      case 'skip':
        return true
      case 'mask':
        return false
      default:
        return field.action satisfies never
    }
  }

  sieve(source: Uint8Array, from: number, to: number): Sieve | undefined {
    // No automaton tells code: each field is asked for.
    if (this.#rules.code === true) return undefined
    return sieveOf(source, from, to, this.#judged.judge(), this.#rules.own)
  }

  siftJson(source: Uint8Array, from: number, to: number, told: JsonTold, key: Field): boolean | undefined {
    if (this.#rules.code === true) return undefined
    const judge = this.#judged.judge()
    return siftJson([from, to], told, {
      sieve: (start, end) => openSieve(source, start, end, judge, this.#rules.own),
      clean: (start, end) => this.clean(source, start, end, key),
    })
  }

  writeSuspects(sink: () => RedactionSink, from: number, suspect: number): Progress | undefined {
    return this.#judged.write(sink, from, suspect)
  }

  write(sink: RedactionSink, source: Uint8Array, from: number, to: number, field: Field, suspect = -1): number {
    const own = ownSink(sink)
    const before = own.size
    if (from >= to) return 0
    if (suspect >= 0 && field.action === 'scan' && field.nullOnly !== true) {
      const first = this.#judged.firstHit(suspect)
      if (first >= 0) {
        this.#judged.cover(own, source, from, to, first)
        return own.size - before
      }
    }
    switch (field.action) {
      case 'skip':
        own.copy(source, from, to)
        break
      case 'mask': {
        const cover = this.#covers.ofField(field)
        if (field.nullOnly || cover.form === 'null') {
          this.#covers.nulled(own, cover, source, from, to)
          return -1
        }
        this.#covers.write(own, cover, source, from, to)
        break
      }
      case 'scan': {
        if (this.#isCode(field, source, from, to)) {
          this.#covers.write(own, this.#covers.ofLabel(CODE), source, from, to)
          break
        }
        const promised = this.#promised(field, source, from, to)
        if (promised !== undefined) {
          this.#covers.write(own, this.#covers.ofEntity(HIT_ENTITIES.indexOf(promised)), source, from, to)
          break
        }
        const hits = this.#hits
        this.#scanner.path = field.path
        const encoded = isBytea(field)
        if (encoded) {
          const bytes = decodeBytea(source, from, to)
          this.#scanner.collect(bytes, 0, bytes.length, hits)
        } else {
          this.#scanner.collect(source, from, to, hits)
        }
        if (hits.count > 0 && field.nullOnly) {
          this.#covers.nulled(own, this.#covers.ofEntity(hits.entityIdOf(0)), source, from, to)
          return -1
        }
        if (!encoded) this.#cover(own, source, from, to, false)
        else if (hits.count === 0) own.copy(source, from, to)
        else this.#covers.write(own, this.#covers.ofEntity(hits.entityIdOf(0)), source, from, to)
        break
      }
      default:
        field.action satisfies never
    }
    return own.size - before
  }

  sink(sizeHint: number, same?: Uint8Array): Sink {
    return new Sink(sizeHint, same)
  }

  stream(field: Field): StreamRedactor {
    const stream = this.#stream(field, field.untyped === true)
    return isBytea(field) ? new ByteaStream(stream, this.#covers) : stream
  }

  live(field: Field): LiveRedactor {
    return new LiveText(this.#stream(field, true))
  }

  #stream(field: Field, anyBytes: boolean): Stream {
    const [scanner, ahead] = [new Scanner(this.#rules), new Scanner(this.#rules)]
    scanner.path = field.path
    ahead.path = field.path
    return new Stream(field, scanner, ahead, this.#covers, { anyBytes, code: this.#looksForCode(field) ? CODE : undefined })
  }

  #looksForCode({ bulk, nullOnly }: Field): boolean {
    return this.#rules.code === true && bulk === true && nullOnly !== true
  }

  #promised({ promised }: Field, source: Uint8Array, from: number, to: number): EntityName | undefined {
    return promised === undefined ? undefined : keptPromise(promised, [source, from, to], this.#rules)
  }

  #isCode(field: Field, source: Uint8Array, from: number, to: number): boolean {
    return this.#looksForCode(field) && to - from >= MIN_CODE_SIZE && codeBytes(source.subarray(from, to)) > 0
  }

  /** The text with what the detectors find masked; the same string when clean. */
  text(value: string): string {
    if (this.#cleanText(value)) return value
    const source = Buffer.from(value)
    const sink = new Sink(source.length)
    this.#scanner.collect(source, 0, source.length, this.#hits)
    this.#cover(sink, source, 0, source.length, false)
    return Buffer.from(sink.finish().bytes).toString()
  }

  /** A value as this rule shows it, in a field that is held whole. For people. */
  shown(value: string, label: Label): string {
    const source = Buffer.from(value)
    const sink = new Sink(source.length)
    this.#covers.write(sink, this.#covers.ofLabel(label), source, 0, source.length)
    return Buffer.from(sink.finish().bytes).toString()
  }

  /** The facts with their texts masked; the same object when clean. Keys are the protocol's own words. */
  facts(facts: Facts): Facts {
    let changed: Record<string, Fact> | undefined
    for (const key in facts) {
      const value = facts[key]
      let masked: Fact | undefined
      if (typeof value === 'string') {
        const plain = PATHS.has(key) ? this.#path(value) : value
        const shown = this.text(plain)
        if (shown !== value) masked = shown
      } else if (typeof value === 'object' && value !== null && !this.#cleanTexts(value)) {
        masked = value.map((item) => this.text(item))
      }
      if (masked === undefined) continue
      changed ??= { ...facts }
      changed[key] = masked
    }
    return changed ?? facts
  }

  /** Each part of it by what it says, as in the line it was asked with; as it came where that is clean. */
  #path(path: string): string {
    if (!ESCAPES.test(path)) return path
    const shown = (part: string): string => {
      const said = withoutEscapes(part)
      return said === part || this.#cleanText(said) ? part : this.text(said)
    }
    return path.split('/').map(shown).join('/')
  }

  /**
   * The entry of a message: `redacted` is its own, or null where its bytes are not kept. `again`: the message has an entry already, as
   * one that is held; its statements count there.
   */
  entry(message: Message, redacted: Redacted | null, verdict: VerdictNote | null, again = false): Masked<Entry> {
    const said = this.facts(message.recorded?.() ?? message.facts())
    const facts = again ? uncounted(said) : said
    const entry: Entry = {
      dir: message.from === 'client' ? 'in' : 'out',
      channel: message.channel,
      kind: message.kind,
      facts: message.part === 'whole' ? facts : { ...facts, part: message.part },
      body: redacted === null ? null : redacted.bytes,
      masks: redacted === null ? null : redacted.masks,
      verdict,
    }
    return brand(again || entry.dir === 'out' ? entry : this.#counted(entry))
  }

  /** Where the protocol does not say how many statements a message that asks is, it is one. */
  #counted(entry: Entry): Entry {
    if (this.#protocol === undefined || entry.facts[STATEMENTS_FACT] !== undefined || !asks(this.#protocol, entry)) return entry
    return { ...entry, facts: { ...entry.facts, [STATEMENTS_FACT]: 1 } }
  }

  /** An entry about the session, sent to nobody. `people`: identities we know by their proof, named as in headers and ledger. */
  note(kind: string, facts: Facts, verdict: VerdictNote | null, people: Facts = {}): Masked<Entry> {
    return brand({ dir: 'note', channel: 0, kind, facts: { ...this.facts(facts), ...people }, body: null, masks: null, verdict })
  }

  /**
   * The entry of something the gateway itself says. Its recorded bytes are the protocol's `redacted` where given, else the
   * bytes as said; should a detector still find something in them, that is starred out in place, byte for byte, so that
   * the recorded message keeps its framing.
   */
  own(output: Output): Masked<Entry> {
    const said = output.own
    if (said === undefined) throw new TypeError('only what the gateway itself says has an entry of its own')
    const redacted = this.#starred(said.redacted ?? { bytes: output.bytes, masks: null })
    return brand({
      dir: output.to === 'client' ? 'out' : 'in',
      channel: said.channel ?? 0,
      kind: said.kind,
      facts: { ...this.facts(said.facts), origin: 'gateway' },
      body: redacted.bytes,
      masks: redacted.masks,
      verdict: null,
    })
  }

  #starred(redacted: Redacted): Redacted {
    const { bytes, masks } = redacted
    this.#scanner.path = NO_FIELD
    if (this.#scanner.clean(bytes, 0, bytes.length)) return redacted
    const sink = new Sink(bytes.length)
    for (const { from, to, known } of runsAround(bytes, this.evidence)) {
      this.#scanner.collect(bytes, from, known ? from : to, this.#hits)
      this.#cover(sink, bytes, from, to, true)
    }
    if (masks !== null) sink.adopt(masks)
    return sink.finish()
  }

  /** Appends source[from, to) with the hits just collected covered. */
  #cover(sink: Sink, source: Uint8Array, from: number, to: number, stars: boolean): void {
    const hits = this.#hits
    let at = from
    for (let i = 0; i < hits.count; i++) {
      const start = hits.startOf(i)
      const end = hits.endOf(i)
      const cover = this.#covers.ofEntity(hits.entityIdOf(i))
      sink.copy(source, at, start)
      if (stars) this.#covers.writeStars(sink, cover, source, start, end)
      else this.#covers.write(sink, cover, source, start, end)
      at = end
    }
    sink.copy(source, at, to)
  }

  /** Lists of facts are the same objects for all statements alike, so that each is looked over once. */
  #cleanTexts(values: readonly string[]): boolean {
    if (values.length === 0 || this.#cleanLists.has(values)) return true
    for (const value of values) if (!this.#cleanText(value)) return false
    this.#cleanLists.add(values)
    return true
  }

  #cleanBytea(source: Uint8Array, from: number, to: number): boolean {
    const bytes = decodeBytea(source, from, to)
    return this.#scanner.clean(bytes, 0, bytes.length)
  }

  #cleanText(value: string): boolean {
    this.#scanner.path = NO_FIELD
    const length = value.length
    if (length < MIN_FIELD_SIZE) return true
    // A character is at most three bytes of UTF-8 here; short ASCII is copied without leaving JavaScript.
    if (length > SCRATCH_SIZE / 3) {
      const bytes = Buffer.from(value)
      return this.#scanner.clean(bytes, 0, bytes.length)
    }
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return this.#scanner.clean(scratch, 0, scratch.write(value, 0))
      scratch[i] = code
    }
    return this.#scanner.clean(scratch, 0, length)
  }
}

/** Facts that are recorded as they were sent, in escapes of URLs. */
const PATHS: ReadonlySet<string> = new Set(['path', 'route'])
const ESCAPES = /[%+]/

/** The one place where an entry becomes a masked one: everything in it has been over a scanner, or is a word of the code. */
function brand(entry: Entry): Masked<Entry> {
  return entry as Masked<Entry>
}

function uncounted({ [STATEMENTS_FACT]: _, ...facts }: Facts): Facts {
  return facts
}
