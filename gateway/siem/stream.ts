import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Records } from '../../recorder/desk/records.ts'
import { isSignedBy } from '../../recorder/ledger/entry-signer.ts'
import { DeliveryError } from '../../recorder/notify/post.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { ledgerKeys, parseLine } from '../../schemas/verify/ledger-line.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import type { ToldEntry } from '../exports/ocsf-entry.ts'

/** Between two looks at the ledger; a store is paid for by the request. */
const LOOK_EVERY_MS = 5_000
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000
/** Of one batch: what receivers take by default. An entry has at most 64 KiB. */
const MAX_BATCH_ENTRIES = 100
const MAX_BATCH_SIZE = 256 << 10

/** Where entries are told. */
export interface Sink {
  readonly name: string
  /** Resolves once they have arrived. Rejects DeliveryError; then the same are sent again, in the same order. */
  send(batch: readonly ToldEntry[], signal: AbortSignal): Promise<void>
}

export interface StreamParts {
  readonly source: ObjectSource
  /** Asked again at each look: a writer may have come with a key of its own. */
  readonly trusted: () => Promise<readonly GatewayKey[]>
  readonly sink: Sink
  /** Where it is kept how far the sink was told, by whichever process tells it. */
  readonly told: Records
  onTold(count: number): void
  /** The ledger is not the one that was told: it is told from its beginning. */
  onOtherLedger(): void
  onFailed(error: unknown, facts: { readonly lagSeconds: number; readonly retryMs: number }): void
  readonly lookEveryMs?: number
  readonly firstRetryMs?: number
}

const Cursor = Type.Object({
  object: Type.Integer({ minimum: 0 }),
  offset: Type.Integer({ minimum: 0 }),
  /** Of the next line. */
  index: Type.Integer({ minimum: 0 }),
})
type Cursor = Static<typeof Cursor>
const checker = Compile(Cursor)
const START: Cursor = { object: 0, offset: 0, index: 0 }
const NEWLINE = 0x0a

/**
 * Tells one sink every entry of the ledger, in order and at least once, from where it was left; all but `gateway.interim`, which says every ten
 * seconds that nothing happened. What the sink does not take is sent again until it does: nothing is given up or passed over. The gate
 * knows nothing of it and waits for none of it; nothing but one batch is held in memory.
 */
export class SiemStream implements AsyncDisposable {
  readonly #parts: StreamParts
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #cursor: Cursor
  /** The cursor as it is kept. */
  #kept: string | undefined
  #isChecked = false
  /** When the oldest entry was written that the sink has not got, ms. */
  #oldest: number | undefined

  private constructor(parts: StreamParts, kept: string | undefined) {
    this.#parts = parts
    this.#kept = kept
    this.#cursor = cursorIn(kept)
    this.#running = this.#run()
  }

  static async open(parts: StreamParts): Promise<SiemStream> {
    return new SiemStream(parts, await parts.told.read(pathOf(parts)))
  }

  /** Age of the oldest entry that the sink has not got; 0 where it has all. */
  get lagSeconds(): number {
    return this.#oldest === undefined ? 0 : Math.max(0, (Date.now() - this.#oldest) / 1_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { onFailed, lookEveryMs = LOOK_EVERY_MS } = this.#parts
    while (!signal.aborted) {
      try {
        await this.#look(signal)
      } catch (error) {
        if (signal.aborted) return
        onFailed(error, { lagSeconds: this.lagSeconds, retryMs: lookEveryMs })
      }
      await pause(lookEveryMs, signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { source, trusted } = this.#parts
    await this.#check(signal)
    const keys = await trusted()
    const sequence = new Sequence()
    sequence.object = this.#cursor.object
    sequence.offset = this.#cursor.offset
    let next = this.#cursor
    let batch: ToldEntry[] = []
    let size = 0
    for await (const { bytes, object, offset } of sequence.read(source, signal)) {
      const { index } = next
      next = { object, offset: offset + bytes.length + 1, index: index + 1 }
      const entry = parseLine(bytes)
      if (entry === undefined || entry.statement.type === 'gateway.interim') continue
      const uid = createHash('sha256').update(bytes).digest('hex')
      batch.push({ uid, index, signed: isSignedBy(entry, keys), statement: entry.statement })
      size += bytes.length
      if (batch.length < MAX_BATCH_ENTRIES && size < MAX_BATCH_SIZE) continue
      await this.#tell(batch, next, signal)
      batch = []
      size = 0
    }
    await this.#tell(batch, next, signal)
  }

  /** A cursor stands behind a line; in a ledger that was put in the place of another it would wait for ever, or begin amidst one. */
  async #check(signal: AbortSignal): Promise<void> {
    if (this.#isChecked) return
    const { object, offset } = this.#cursor
    if (offset > 0 && !(await endsLine(this.#parts.source, object, offset, signal))) {
      this.#cursor = START
      this.#parts.onOtherLedger()
    }
    this.#isChecked = true
  }

  async #tell(batch: readonly ToldEntry[], next: Cursor, signal: AbortSignal): Promise<void> {
    const { sink, onTold, onFailed, firstRetryMs = FIRST_RETRY_MS } = this.#parts
    const [first] = batch
    if (first !== undefined) {
      this.#oldest = Date.parse(first.statement.at)
      for (let usualMs = firstRetryMs; ; usualMs = Math.min(usualMs * 2, LAST_RETRY_MS)) {
        signal.throwIfAborted()
        try {
          await sink.send(batch, signal)
          break
        } catch (error) {
          signal.throwIfAborted()
          const asked = error instanceof DeliveryError ? error.retryAfterMs : undefined
          // Not all at once, where several gateways were waiting for the same receiver.
          const retryMs = Math.round(asked ?? usualMs * (0.75 + Math.random() / 2))
          onFailed(error, { lagSeconds: this.lagSeconds, retryMs })
          await pause(retryMs, signal)
        }
      }
      onTold(batch.length)
    }
    if (next !== this.#cursor) await this.#keep(next)
    this.#oldest = undefined
  }

  /** Where another process has told more meanwhile, this one goes on from there. */
  async #keep(next: Cursor): Promise<void> {
    const { told } = this.#parts
    const text = JSON.stringify(next)
    if (await told.swap(pathOf(this.#parts), this.#kept, text)) {
      this.#kept = text
      this.#cursor = next
      return
    }
    this.#kept = await told.read(pathOf(this.#parts))
    this.#cursor = cursorIn(this.#kept)
    throw new ApplianceError(
      'STORE_CONFLICT',
      `another gateway tells ${this.#parts.sink.name}; it goes on from where that one is`,
    )
  }
}

function pathOf({ sink }: Pick<StreamParts, 'sink'>): string {
  return `${sink.name}.json`
}

/** What cannot be understood is as good as nothing: everything is told again, which receivers tell by `uid`; nothing is lost. */
function cursorIn(text: string | undefined): Cursor {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text)
    return checker.Check(value) ? value : START
  } catch (error) {
    if (error instanceof SyntaxError) return START
    throw error
  }
}

async function endsLine(source: ObjectSource, object: number, offset: number, signal: AbortSignal): Promise<boolean> {
  try {
    const [last] = await source.get(ledgerKeys.sequence(object), { from: offset - 1, to: offset }, signal)
    return last === NEWLINE
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return false
    throw error
  }
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
