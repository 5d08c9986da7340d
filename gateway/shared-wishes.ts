import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Records } from '../recorder/desk/records.ts'

/** How soon what was asked elsewhere happens here. */
const LOOK_MS = 500
/** A gateway that can and does not say so by then is not well; it may happen all the same. */
const ANSWER_MS = 4_000
/** Questions nobody answered, and answers nobody fetched. */
const FORGET_AFTER_MS = 60_000
const NAME = /^[0-9A-Za-z-]{1,100}$/
/** The name, and which of the questions for it. */
const QUESTION = /^([0-9A-Za-z-]{1,100})\.[0-9a-f]{16}\.json$/
const ID_BYTES = 8

const Wish = Type.Object({ message: Type.String() })
type Wish = Static<typeof Wish>
const checker = Compile(Wish)

/**
 * Asks the other gateways for what one of them alone can do: end a session it has, cancel a statement it runs. `<name>.<id>.json` asks for it; whoever
 * can does it, and answers with `<name>.<id>.done`. The id is random, one for each time it is asked: so each is done once, by the one gateway that
 * can, and no answer is taken for that to another question.
 */
export class SharedWishes implements AsyncDisposable {
  readonly #records: Records
  readonly #grant: SharedWishes['ask']
  readonly #onError: (error: unknown) => void
  readonly #stop = new AbortController()
  readonly #following: Promise<void>
  /** Questions that stand and were looked at here: what is asked once is done once, however often the records change meanwhile. */
  readonly #seen = new Set<string>()

  /** `grant` does it here; false where it cannot. */
  constructor(records: Records, grant: SharedWishes['ask'], onError: (error: unknown) => void) {
    this.#records = records
    this.#grant = grant
    this.#onError = onError
    this.#following = this.#follow()
  }

  /** Does it here, or has it done where it can be; false where nobody says so. */
  async ask(name: string, message: string): Promise<boolean> {
    if (await this.#grant(name, message)) return true
    if (!NAME.test(name)) return false
    const asked = `${name}.${randomBytes(ID_BYTES).toString('hex')}`
    const wish: Wish = { message }
    this.#seen.add(`${asked}.json`)
    const untilMs = performance.now() + ANSWER_MS
    try {
      await this.#records.create(`${asked}.json`, JSON.stringify(wish))
      for (;;) {
        const leftMs = untilMs - performance.now()
        const change = this.#change(`${asked}.done`, Math.max(0, leftMs))
        if ((await this.#records.read(`${asked}.done`)) !== undefined) return true
        if (leftMs <= 0 || this.#stop.signal.aborted) return false
        await change
      }
    } finally {
      await this.#records.remove(`${asked}.json`)
      await this.#records.remove(`${asked}.done`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    let forgottenMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      const change = this.#change('', LOOK_MS)
      try {
        if (performance.now() - forgottenMs > FORGET_AFTER_MS) {
          await this.#records.forget(FORGET_AFTER_MS)
          forgottenMs = performance.now()
        }
        const before = [...this.#seen]
        const standing = await this.#records.all('')
        for (const file of before) if (!standing.has(file)) this.#seen.delete(file)
        await Promise.all([...standing].map(([file, text]) => this.#take(file, text)))
      } catch (error) {
        this.#onError(error)
        await delay(LOOK_MS, undefined, { ref: false })
      }
      await change
    }
  }

  /** Never rejects, since who waits does other things first; what cannot be heard is looked for. */
  async #change(prefix: string, maxMs: number): Promise<void> {
    try {
      await this.#records.next(prefix, this.#stop.signal, maxMs)
    } catch (error) {
      this.#onError(error)
      await delay(Math.min(maxMs, LOOK_MS), undefined, { ref: false })
    }
  }

  /** Never rejects: the other questions are to be looked at, too. */
  async #take(file: string, text: string): Promise<void> {
    const name = QUESTION.exec(file)?.[1]
    if (name === undefined || this.#seen.has(file)) return
    this.#seen.add(file)
    try {
      const wish: unknown = JSON.parse(text)
      if (!checker.Check(wish) || !(await this.#grant(name, wish.message))) return
      const done = `${file.slice(0, -'.json'.length)}.done`
      await this.#records.create(done, new Date().toISOString())
      // Whoever asked removes the question first, then the answer: what came later is nobody's.
      if ((await this.#records.read(file)) === undefined) await this.#records.remove(done)
    } catch (error) {
      this.#onError(error)
    }
  }
}
