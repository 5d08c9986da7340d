import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

/** What primary and workers say to each other. Checked on arrival: the channel also carries messages of Node itself. */
const WorkerMessage = Type.Union([
  /** Worker to primary, first of all: asks for `config`, and listens for it. */
  Type.Object({ sallyport: Type.Literal('starting') }),
  /** Primary to worker: what the configuration said when the gateway was started. */
  Type.Object({ sallyport: Type.Literal('config'), text: Type.String() }),
  /** Worker to primary: serving. */
  Type.Object({ sallyport: Type.Literal('ready') }),
  /** Both ways: deliver this cancel key (base64) to the worker it names, then answer. To the primary: and whose it is, `address:port`. */
  Type.Object({
    sallyport: Type.Literal('cancel'),
    id: Type.Integer(),
    key: Type.String(),
    client: Type.Optional(Type.String()),
  }),
  Type.Object({ sallyport: Type.Literal('cancelled'), id: Type.Integer(), found: Type.Optional(Type.Boolean()) }),
  /** Primary to worker: end this session with these words, then answer whether it was open. */
  Type.Object({ sallyport: Type.Literal('kill'), id: Type.Integer(), session: Type.String(), message: Type.String() }),
  Type.Object({ sallyport: Type.Literal('killed'), id: Type.Integer(), found: Type.Boolean() }),
  /** Primary to worker: what it counts, and whether it takes sessions. */
  Type.Object({ sallyport: Type.Literal('measure'), id: Type.Integer() }),
  Type.Object({
    sallyport: Type.Literal('measured'),
    id: Type.Integer(),
    metrics: Type.Array(Type.Object({})),
    problem: Type.Optional(Type.String()),
  }),
  /** Primary to worker: end every session, seal, exit. */
  Type.Object({ sallyport: Type.Literal('stop'), why: Type.String() }),
])
export type WorkerMessage = Static<typeof WorkerMessage>
const checker = Compile(WorkerMessage)

export function workerMessage(value: unknown): WorkerMessage | undefined {
  return checker.Check(value) ? value : undefined
}

/** Questions sent over the channel that wait for their answer; one that never comes is given up. */
export class Questions<Answer = void> {
  readonly #open = new Map<number, (answer?: Answer) => void>()
  readonly #timeoutMs: number
  #last = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** Undefined where the answer did not come in time. */
  ask(send: (id: number) => void): Promise<Answer | undefined> {
    this.#last += 1
    const id = this.#last
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(id), this.#timeoutMs)
      this.#open.set(id, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      send(id)
    })
  }

  answered(id: number, answer?: Answer): void {
    const resolve = this.#open.get(id)
    this.#open.delete(id)
    resolve?.(answer)
  }
}
