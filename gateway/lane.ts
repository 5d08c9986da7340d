import { type Gate, isNow } from './gate.ts'
import type { Message, Output } from './message.ts'

/** A lane this full stops its socket from being read. One incomplete large message may stand beside it in the wire. */
const MAX_LANE_BYTES = 256 * 1024
/** What a message counts at the least: one without bytes takes memory, too. */
const MIN_MESSAGE_BYTES = 64

const NONE: readonly Message[] = []

/**
 * The messages of one direction and one channel on their way through the gate, in order. Lanes run independently:
 * while one is held, the others go on. What arrives while a lane is busy passes together in the next batch.
 */
class Lane {
  readonly #lanes: Lanes
  #waiting: readonly Message[] = NONE
  /** The same, once it is no more what somebody else gave: appended to in place. */
  #own: Message[] | undefined
  running = false

  constructor(lanes: Lanes) {
    this.#lanes = lanes
  }

  push(messages: readonly Message[]): void {
    if (this.#waiting.length === 0) {
      this.#waiting = messages
      return
    }
    if (this.#own === undefined) {
      this.#own = [...this.#waiting]
      this.#waiting = this.#own
    }
    for (const message of messages) this.#own.push(message)
  }

  /** Passes what waits; without a promise as long as nothing has to be waited for. */
  run(): void {
    if (this.running) return
    try {
      const first = this.#some()
      if (first !== undefined) void this.#finish(first)
    } catch (error) {
      this.#lanes.fail(error)
    }
  }

  #some(): Promise<void> | undefined {
    while (this.#waiting.length > 0 && !this.#lanes.stopped) {
      const messages = this.#waiting
      this.#waiting = NONE
      this.#own = undefined
      const passing = this.#lanes.pass(messages)
      if (passing !== undefined) return passing
    }
    return undefined
  }

  async #finish(first: Promise<void>): Promise<void> {
    this.running = true
    try {
      for (let passing: Promise<void> | undefined = first; passing !== undefined; passing = this.#some()) await passing
    } catch (error) {
      this.#lanes.fail(error)
    } finally {
      this.running = false
      this.#lanes.settle()
    }
  }
}

export interface LanesParts {
  readonly gate: Gate
  /** Writes; undefined where no end asks to wait. */
  readonly deliver: (outputs: readonly Output[]) => Promise<void> | undefined
  /** Aborted when the one who asks has left: what is held is withdrawn. */
  readonly asker: AbortSignal
  /** Aborted when the session is over. */
  readonly stop: AbortSignal
  readonly onFail: (error: unknown) => void
}

/** All lanes of one direction. */
export class Lanes {
  readonly #gate: Gate
  readonly #deliver: LanesParts['deliver']
  readonly #asker: AbortSignal
  #stopped: boolean
  readonly #lanes = new Map<number, Lane>()
  /** Most protocols have one channel, and others say several things in one. */
  #last: Lane | undefined
  #lastChannel = 0
  readonly #onFail: (error: unknown) => void
  #bytes = 0
  #wakes: (() => void)[] = []
  readonly #told = new Map<Message, () => void>()

  constructor(parts: LanesParts) {
    this.#gate = parts.gate
    this.#deliver = parts.deliver
    this.#asker = parts.asker
    // Asked for every message, and a signal made of others is slow to answer.
    this.#stopped = parts.stop.aborted
    parts.stop.addEventListener(
      'abort',
      () => {
        this.#stopped = true
      },
      { once: true },
    )
    this.#onFail = parts.onFail
  }

  push(messages: readonly Message[]): void {
    const [first] = messages
    if (first === undefined) return
    const { channel } = first
    let others = false
    for (const message of messages) {
      this.#bytes += sizeOf(message)
      others ||= message.channel !== channel
    }
    // All of a read waits before any of it passes, so that it is recorded in one append.
    if (!others) {
      const lane = this.#lane(channel)
      lane.push(messages)
      lane.run()
      return
    }
    const touched = new Map<Lane, Message[]>()
    for (const message of messages) {
      const lane = this.#lane(message.channel)
      const own = touched.get(lane)
      if (own === undefined) touched.set(lane, [message])
      else own.push(message)
    }
    for (const [lane, own] of touched) lane.push(own)
    for (const lane of touched.keys()) lane.run()
  }

  /** As `push`, and tells once it is through, or withdrawn: for what nothing slows, so that its sender says no more before that. */
  pushTold(message: Message, told: () => void): void {
    this.#told.set(message, told)
    this.push([message])
  }

  #lane(channel: number): Lane {
    if (this.#last !== undefined && this.#lastChannel === channel) return this.#last
    let lane = this.#lanes.get(channel)
    if (lane === undefined) {
      lane = new Lane(this)
      this.#lanes.set(channel, lane)
    }
    this.#last = lane
    this.#lastChannel = channel
    return lane
  }

  /** Whether all that came in has been delivered. */
  get empty(): boolean {
    return this.#bytes === 0
  }

  /** Whether another chunk may be taken in. */
  get full(): boolean {
    return this.#bytes > MAX_LANE_BYTES
  }

  /** Resolves when there is room for another chunk. */
  async room(): Promise<void> {
    while (this.#bytes > MAX_LANE_BYTES && !this.#stopped) await this.#change()
  }

  /** Resolves when every lane has delivered all it had. */
  async drained(): Promise<void> {
    while ([...this.#lanes.values()].some((lane) => lane.running)) await this.#change()
  }

  /** The session is over: nothing more is let in. */
  get stopped(): boolean {
    return this.#stopped
  }

  pass(messages: readonly Message[]): Promise<void> | undefined {
    const entered = this.#gate.enter(messages, this.#asker)
    if (!isNow(entered)) {
      return entered instanceof Promise ? this.#recording(entered, messages) : this.#passing(entered, messages)
    }
    const waiting = this.#deliver(entered)
    if (waiting !== undefined) return waiting.finally(() => this.#passed(messages))
    this.#passed(messages)
    return undefined
  }

  async #recording(recorded: Promise<readonly Output[]>, messages: readonly Message[]): Promise<void> {
    try {
      const waiting = this.#deliver(await recorded)
      if (waiting !== undefined) await waiting
    } finally {
      this.#passed(messages)
    }
  }

  async #passing(batches: AsyncGenerator<readonly Output[]>, messages: readonly Message[]): Promise<void> {
    try {
      for await (const outputs of batches) await this.#deliver(outputs)
    } finally {
      this.#passed(messages)
    }
  }

  #passed(messages: readonly Message[]): void {
    for (const message of messages) this.#bytes -= sizeOf(message)
    if (this.#told.size > 0) this.#tell(messages)
    if (this.#wakes.length > 0) this.settle()
  }

  #tell(messages: readonly Message[]): void {
    for (const message of messages) {
      const told = this.#told.get(message)
      this.#told.delete(message)
      told?.()
    }
  }

  fail(error: unknown): void {
    this.#onFail(error)
  }

  settle(): void {
    const wakes = this.#wakes
    this.#wakes = []
    for (const wake of wakes) wake()
  }

  #change(): Promise<void> {
    return new Promise((wake) => {
      this.#wakes.push(wake)
    })
  }
}

function sizeOf({ bytes }: Message): number {
  return Math.max(bytes.length, MIN_MESSAGE_BYTES)
}
