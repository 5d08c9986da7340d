import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Records } from '../desk/records.ts'

const Delivered = Type.Object({
  /** Of the news. */
  news: Type.String(),
  /** Whether more may come. */
  open: Type.Boolean(),
  reference: Type.Optional(Type.String()),
})
export type Delivered = Static<typeof Delivered>
const checker = Compile(Delivered)

/** What one channel was told last of each request, so that nothing is told twice, by whichever process tells it. A record each. */
export class Deliveries {
  readonly #records: Records
  readonly #channel: string

  constructor(records: Records, channel: string) {
    this.#records = records
    this.#channel = channel
  }

  /** A record that cannot be read is as good as none: then it is told again. */
  async last(approval: string): Promise<Delivered | undefined> {
    const text = await this.#records.read(this.#path(approval))
    try {
      const value: unknown = text === undefined ? undefined : JSON.parse(text)
      return checker.Check(value) ? value : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  note(approval: string, delivered: Delivered): Promise<void> {
    return this.#records.replace(this.#path(approval), JSON.stringify(delivered))
  }

  /** Of requests that nobody keeps any longer. */
  async forget(approvals: readonly string[]): Promise<void> {
    for (const approval of approvals) await this.#records.remove(this.#path(approval))
  }

  /** All requests of which it is known what was told. */
  async known(): Promise<readonly string[]> {
    const names = await this.#records.names(this.#channel)
    return names.flatMap((name) => /^(A-[0-9A-Z]{8})\.json$/.exec(name)?.[1] ?? [])
  }

  /** Requests of which the channel was last told that they are open. */
  async open(): Promise<readonly string[]> {
    const ids = await this.known()
    const found = await Promise.all(ids.map(async (id) => ({ id, last: await this.last(id) })))
    return found.flatMap(({ id, last }) => (last?.open === false ? [] : [id]))
  }

  #path(approval: string): string {
    return `${this.#channel}/${approval}.json`
  }
}
