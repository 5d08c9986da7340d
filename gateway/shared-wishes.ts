import { setTimeout as delay } from 'node:timers/promises'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Records } from '../recorder/desk/records.ts'

/** How soon what was asked elsewhere happens here. */
const LOOK_MS = 500
/** A gateway that can and does not say so by then is not well; it may happen all the same. */
const ANSWER_MS = 4_000
const POLL_MS = 50
/** Questions nobody answered, and answers nobody fetched. */
const FORGET_AFTER_MS = 60_000
const NAME = /^[0-9A-Za-z-]{1,100}$/

const Wish = Type.Object({ message: Type.String() })
type Wish = Static<typeof Wish>
const checker = Compile(Wish)

/**
 * Asks the other gateways for what one of them alone can do: end a session it has, cancel a statement it runs. `<name>.json` asks for it, whoever
 * can does it and answers with `<name>.done`. Asking twice at once is one question.
 */
export class SharedWishes implements AsyncDisposable {
  readonly #records: Records
  readonly #grant: SharedWishes['ask']
  readonly #onError: (error: unknown) => void
  readonly #stop = new AbortController()
  readonly #following: Promise<void>

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
    const wish: Wish = { message }
    await this.#records.create(`${name}.json`, JSON.stringify(wish))
    const untilMs = performance.now() + ANSWER_MS
    try {
      while (performance.now() < untilMs) {
        if ((await this.#records.read(`${name}.done`)) !== undefined) return true
        await delay(POLL_MS)
      }
      return false
    } finally {
      await this.#records.remove(`${name}.json`)
      await this.#records.remove(`${name}.done`)
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
      const change = this.#records.next('', signal, LOOK_MS)
      try {
        if (performance.now() - forgottenMs > FORGET_AFTER_MS) {
          await this.#records.forget(FORGET_AFTER_MS)
          forgottenMs = performance.now()
        }
        for (const [name, text] of await this.#records.all('')) if (name.endsWith('.json')) await this.#take(name, text)
      } catch (error) {
        this.#onError(error)
        await delay(LOOK_MS, undefined, { ref: false })
      }
      await change
    }
  }

  async #take(file: string, text: string): Promise<void> {
    const name = file.slice(0, -'.json'.length)
    const wish: unknown = JSON.parse(text)
    if (checker.Check(wish) && (await this.#grant(name, wish.message)))
      await this.#records.create(`${name}.done`, new Date().toISOString())
  }
}
