import { base64Of, hexOf } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { cosignedAt, type WitnessKey } from '../../schemas/verify/cosignature.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { type Checkpoint, MAX_NOTE_SIZE, parseCheckpoint, parseNote } from '../../schemas/verify/note.ts'
import type { Store } from '../store/store.ts'
import { sha256 } from '../tape/merkle.ts'
import { nodeTools } from '../tape/tools.ts'

const ANSWER_TIMEOUT_MS = 10_000
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 300_000
/** What a shutdown waits for the last checkpoint's attestations. */
const LAST_WORDS_MS = 3_000
/** A cosignature line and no more. */
const MAX_ANSWER_SIZE = 4096

export interface WitnessSource {
  /** Submission prefix, by c2sp.org/tlog-witness. */
  readonly url: string
  readonly key: WitnessKey
}

export interface TimestampSource {
  readonly name: string
  readonly url: string
  readonly everyMs: number
}

export interface AnchorSource {
  readonly name: string
  readonly store: Store
}

export interface AttestationsOptions {
  /** Where the words of third parties are kept, beside the ledger. */
  readonly store: Store
  readonly ledger: {
    checkpoint(): Uint8Array | undefined
    consistency(before: number, size: number): Promise<Uint8Array[]>
  }
  readonly witnesses: readonly WitnessSource[]
  readonly timestamps: readonly TimestampSource[]
  readonly anchors: readonly AnchorSource[]
  /** Told who could not be reached, or refuses; tried again at the next checkpoint, at growing distances. A `refused` one says the ledger is a fork. */
  readonly onProblem: (name: string, error: unknown) => void
  /** How often it is looked whether there is a newer checkpoint. */
  readonly pollMs?: number
}

/** One of them, and how far it has come. */
interface Attester {
  readonly name: string
  /** No sooner than this after the last success. */
  readonly everyMs: number
  readonly attest: (note: Uint8Array, checkpoint: Checkpoint, signal: AbortSignal) => Promise<void>
  size: number
  dueMs: number
  pauseMs: number
  working: boolean
}

/**
 * Has every new checkpoint of a ledger attested by third parties, each at its own pace, behind everything else: cosigned by witnesses, timestamped,
 * copied to stores of others. What they answer is checked, where it can be here, and kept beside the ledger; a gateway goes on without them.
 * Several gateways of one ledger may do so at once: what one of them has brought is the same for all.
 */
export class Attestations implements AsyncDisposable {
  readonly #options: AttestationsOptions
  readonly #attesters: readonly Attester[]
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #working = new Set<Promise<void>>()

  constructor(options: AttestationsOptions) {
    this.#options = options
    const { witnesses, timestamps, anchors, pollMs = 1_000 } = options
    const attester = (name: string, everyMs: number, attest: Attester['attest']): Attester => ({
      name,
      everyMs,
      attest,
      size: 0,
      dueMs: 0,
      pauseMs: FIRST_PAUSE_MS,
      working: false,
    })
    this.#attesters = [
      ...witnesses.map((one) => attester(one.key.name, 0, (note, point, signal) => this.#cosign(one, note, point, signal))),
      ...timestamps.map((one) =>
        attester(one.name, one.everyMs, (note, point, signal) => this.#timestamp(one, note, point, signal)),
      ),
      ...anchors.map((one) => attester(one.name, 0, (note, point, signal) => anchor(one.store, note, point, signal))),
    ]
    this.#timer = setInterval(() => this.look(), pollMs).unref()
  }

  /** Begins whatever is due. */
  look(): void {
    const note = this.#options.ledger.checkpoint()
    if (note === undefined || this.#stop.signal.aborted) return
    const nowMs = performance.now()
    for (const attester of this.#attesters) {
      if (attester.working || attester.dueMs > nowMs) continue
      const work = this.#attest(attester, note)
      this.#working.add(work)
      void work.finally(() => this.#working.delete(work))
    }
  }

  /** Has the newest checkpoint attested by everybody once more, where it is not yet, and waits for it. */
  async settle(): Promise<void> {
    await Promise.all(this.#working)
    for (const attester of this.#attesters) attester.dueMs = 0
    this.look()
    await Promise.all(this.#working)
  }

  /** Has the last checkpoint attested as far as that is quick, and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    const late = setTimeout(() => this.#stop.abort(), LAST_WORDS_MS)
    await this.settle()
    clearTimeout(late)
    this.#stop.abort()
    await Promise.all(this.#working)
  }

  async #attest(attester: Attester, note: Uint8Array): Promise<void> {
    const { onProblem } = this.#options
    const checkpoint = parseCheckpoint(note)
    if (checkpoint.size <= attester.size) return
    attester.working = true
    try {
      await attester.attest(note, checkpoint, this.#stop.signal)
      attester.size = checkpoint.size
      attester.pauseMs = FIRST_PAUSE_MS
      attester.dueMs = performance.now() + attester.everyMs
    } catch (error) {
      if (this.#stop.signal.aborted) return
      attester.dueMs = performance.now() + attester.pauseMs
      attester.pauseMs = Math.min(attester.pauseMs * 2, LONGEST_PAUSE_MS)
      onProblem(attester.name, error)
    } finally {
      attester.working = false
    }
  }

  /** By c2sp.org/tlog-witness: asked from where it stands, which a conflict tells. */
  async #cosign({ url, key }: WitnessSource, note: Uint8Array, checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    const { ledger, store } = this.#options
    let old = 0
    for (let tries = 0; tries < 3; tries++) {
      const proof = await ledger.consistency(old, checkpoint.size)
      const lines = proof.map((hash) => `${base64Of(hash)}\n`).join('')
      const body = Buffer.concat([Buffer.from(`old ${old}\n${lines}\n`), note])
      const { status, text } = await post(`${url.replace(/\/$/, '')}/add-checkpoint`, body, signal)
      if (status === 200) {
        const both = parseNote(Buffer.concat([note, Buffer.from(text)]))
        const timeS = await cosignedAt(nodeTools, both, key)
        if (timeS === undefined) throw new Error(`it answered without a cosignature by ${key.name}+${key.keyId}`)
        const line = text.split('\n').find((one) => one.startsWith(`— ${key.name} `)) ?? ''
        await putOnce(store, ledgerKeys.witness(checkpoint.size, `${key.keyId}.cosignature`), Buffer.from(`${line}\n`))
        return
      }
      const size = status === 409 ? /^(0|[1-9]\d{0,15})\n$/.exec(text)?.[1] : undefined
      if (size === undefined) throw new Error(`it answered ${status}: ${text.slice(0, 200).trim()}`)
      // Another gateway has been there with a later one.
      if (Number(size) > checkpoint.size) return
      if (Number(size) === old && old === checkpoint.size)
        throw new ApplianceError('LEDGER_MALFORMED', `it has cosigned another tree of ${size} entries: this ledger is a fork`)
      old = Number(size)
    }
    throw new Error('it is being asked by others at the same time')
  }

  async #timestamp({ name, url }: TimestampSource, note: Uint8Array, { size }: Checkpoint, signal: AbortSignal): Promise<void> {
    const { requestTimestamp } = await import('./timestamp.ts')
    const key = ledgerKeys.witness(size, `${name}.tsr`)
    await putOnce(this.#options.store, key, await requestTimestamp(url, note, signal))
  }
}

/** Where a second store keeps the checkpoints of a log. */
export function anchorKey(origin: string, size: number): string {
  return `${anchorPrefix(origin)}${String(size).padStart(16, '0')}`
}

export function anchorPrefix(origin: string): string {
  return `checkpoints/${hexOf(sha256(Buffer.from(origin)))}/`
}

async function anchor(store: Store, note: Uint8Array, { origin, size, root }: Checkpoint, signal: AbortSignal): Promise<void> {
  const key = anchorKey(origin, size)
  try {
    await store.put(key, note, signal)
  } catch (error) {
    if (!(error instanceof ApplianceError) || error.code !== 'STORE_CONFLICT') throw error
    // Another gateway's signature on the same tree is as good; another tree is not.
    const other = parseCheckpoint(await store.get(key, { from: 0, to: MAX_NOTE_SIZE }, signal))
    if (!Buffer.from(other.root).equals(Buffer.from(root)))
      throw new ApplianceError('LEDGER_MALFORMED', `it has another tree of ${size} entries: this ledger is a fork`)
  }
}

async function putOnce(store: Store, key: string, bytes: Uint8Array): Promise<void> {
  try {
    await store.put(key, bytes)
  } catch (error) {
    // Somebody else's answer of another second: one is enough.
    if (!(error instanceof ApplianceError) || error.code !== 'STORE_CONFLICT') throw error
  }
}

async function post(
  url: string,
  body: Uint8Array,
  stop: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
  const answer = await fetch(url, { method: 'POST', body: Buffer.from(body), redirect: 'error', signal })
  let size = 0
  const pieces: Uint8Array[] = []
  for await (const piece of answer.body ?? []) {
    size += piece.length
    if (size > MAX_ANSWER_SIZE) throw new Error(`it answered more than ${MAX_ANSWER_SIZE} bytes`)
    pieces.push(piece)
  }
  return { status: answer.status, text: Buffer.concat(pieces).toString('utf8') }
}
