import { ApplianceError } from '../../schemas/errors.ts'
import { TAPE_MAGIC, tapeKeys } from '../../schemas/tape.ts'
import { recordAt } from '../../schemas/verify/scan.ts'
import type { Store } from '../store/store.ts'
import type { Copied, Evidence } from '../store/store-blob-evidence.ts'
import { publishedKeys, readPublished } from '../tape/published-keys.ts'
import { openTape, type Tape } from '../tape/reader.ts'
import { tapeParts } from '../tape/tape-parts.ts'
import { openObject } from '../tape/tools.ts'
import { type Holds, holdCopies, manifestKeys } from './holds.ts'

/** Between two looks; also how long after its end a tape is copied at the latest, where the store is well. */
const LOOK_EVERY_MS = 60_000
/** A key is kept as long as the newest copy that it verifies. */
const KEYS_EVERY_MS = 86_400_000

export interface SealerParts {
  /** Where tapes are recorded. */
  readonly live: Store
  readonly evidence: Evidence
  /** Of the ledger: what is held there is put under legal hold here. Without it nothing is. */
  readonly holds?: Holds
  readonly lookEveryMs?: number
  /** Copied and compared. */
  readonly onCopied: (session: string, bytes: number) => void
  readonly onProblem: (session: string | undefined, error: unknown) => void
}

/**
 * Copies ended tapes to where they are kept, in the background, one at a time. It remembers nothing that must survive: what is
 * ended and has no manifest is copied, after a restart and beside other gateways alike. Two that copy the same tape at once make
 * one copy, as every object is made once.
 */
export class Sealer implements AsyncDisposable {
  readonly #parts: SealerParts
  readonly #stop = new AbortController()
  readonly #done = new Set<string>()
  /** When keys were put last. */
  readonly #keysPut = new Map<string, number>()
  /** Whether the copies of a session, and keys, are under legal hold, as far as this process knows. */
  readonly #held = new Map<string, boolean>()
  #wake: () => void = () => undefined
  readonly #running: Promise<void>

  constructor(parts: SealerParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  /** One look at everything there is; resolves when what had ended by then is copied, or has been told as a problem. */
  async look(): Promise<void> {
    const { live, evidence, onCopied, onProblem } = this.#parts
    const { signal } = this.#stop
    for await (const key of evidence.store.list(manifestKeys.prefix, signal)) {
      const session = manifestKeys.session(key)
      if (session !== undefined) this.#done.add(session)
    }
    for await (const key of publishedKeys(live, signal)) {
      if (Date.now() - (this.#keysPut.get(key) ?? 0) < KEYS_EVERY_MS) continue
      try {
        await evidence.put(key, await readPublished(live, key, signal), signal)
        this.#keysPut.set(key, Date.now())
      } catch (error) {
        if (signal.aborted) return
        // Somebody else's under a name like a key's: no tape waits for it.
        onProblem(undefined, error)
      }
    }
    for (const id of await this.#waiting()) {
      if (signal.aborted) return
      try {
        const bytes = await this.#copy(id)
        if (bytes !== undefined) onCopied(id, bytes)
      } catch (error) {
        if (signal.aborted) return
        onProblem(id, error)
      }
    }
    await this.#hold()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    const { onProblem, lookEveryMs = LOOK_EVERY_MS } = this.#parts
    while (!this.#stop.signal.aborted) {
      await this.look().catch((error: unknown) => {
        if (!this.#stop.signal.aborted) onProblem(undefined, error)
      })
      if (this.#stop.signal.aborted) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookEveryMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** The ledger's holds, on every copy that is whole; at the first look also those that were lifted while nobody ran. */
  async #hold(): Promise<void> {
    const { evidence, holds, onProblem } = this.#parts
    if (holds === undefined || evidence.holdsAll) return
    const { signal } = this.#stop
    await holds.catchUp(signal)
    const sessions = [...holds.sessions()].filter((id) => this.#done.has(id))
    const turn = async (key: string, on: boolean, work: () => Promise<unknown>): Promise<void> => {
      if (signal.aborted || this.#held.get(key) === on) return
      try {
        await work()
        this.#held.set(key, on)
      } catch (error) {
        if (!signal.aborted) onProblem(this.#done.has(key) ? key : undefined, error)
      }
    }
    for (const id of sessions) {
      const on = holds.isHeld(id)
      await turn(id, on, () => holdCopies(evidence, id, on, signal))
    }
    // A copy that is held is worth nothing without the key that verifies it.
    const anyHeld = sessions.some((id) => holds.isHeld(id))
    if (sessions.length > 0)
      for (const key of this.#keysPut.keys()) await turn(key, anyHeld, () => evidence.hold(key, anyHeld, signal))
  }

  async #waiting(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>()
    for await (const key of this.#parts.live.list('tapes/', this.#stop.signal)) {
      const [, id, object] = key.split('/')
      if (id !== undefined && object !== undefined && !this.#done.has(id)) ids.add(id)
    }
    return ids
  }

  /** The bytes copied; undefined for a tape that still runs. */
  async #copy(id: string): Promise<number | undefined> {
    const { live, evidence } = this.#parts
    const { signal } = this.#stop
    const tape = await ended(live, id, signal)
    if (tape === undefined) return undefined
    const tags = tagsOf(tape)
    const objects: Record<string, Copied> = {}
    let bytes = 0
    for await (const key of tapeParts(live, id, signal)) {
      const copied = await evidence.copy(live, key, { tags, signal })
      objects[key] = copied
      bytes += copied.size
    }
    // The same for everybody who copies it, so that making it twice is no conflict.
    const manifest = Buffer.from(`${JSON.stringify({ v: 1, session: id, objects })}\n`)
    await evidence.put(manifestKeys.of(id), manifest, signal)
    this.#done.add(id)
    return bytes
  }
}

/** Undefined for a tape that runs, or whose header has not come yet, or was cut and never will. */
async function ended(store: Store, id: string, signal: AbortSignal): Promise<Tape | undefined> {
  try {
    const tape = await openTape(store, id, signal)
    return tape.state === 'open' ? undefined : tape
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    const isMalformed = error instanceof ApplianceError && error.code === 'TAPE_MALFORMED'
    if (isMalformed && !(await hasHeader(store, id, signal))) return undefined
    throw error
  }
}

async function hasHeader(store: Store, id: string, signal: AbortSignal): Promise<boolean> {
  const first = await openObject(store, tapeKeys.segment(id, 0), signal)
  return (await recordAt(first, TAPE_MAGIC.length)) !== undefined
}

/** What a copy can be found by without reading it; never whose session it was: tags are read with other rights than what they are on. */
function tagsOf({ header: { session }, state }: Tape): Readonly<Record<string, string>> {
  const { id, gateway, target, startedAt } = session
  return { session: id, gateway, target: target.name, day: startedAt.slice(0, 10), state }
}
