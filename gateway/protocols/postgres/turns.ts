import type { Refusal } from '../../../schemas/verdict.ts'
import type { Field } from '../../message.ts'
import type { CopyShape } from './copy.ts'
import type { Portal, Statement } from './statement.ts'

/** One answer the server owes. `group` counts Syncs: after an error the server skips to the end of the group. */
export interface Turn {
  readonly kind: 'parse' | 'bind' | 'describe' | 'close' | 'execute' | 'sync' | 'query' | 'function'
  readonly group: number
  /** Ordinal of the executed statement, for thresholds and the tape; 0 where nothing executes. */
  readonly statement: number
  /** Asked by the gateway itself: the answer is swallowed. */
  readonly own?: boolean
  /** The text that answers; empty where nothing executes. */
  readonly sql: string
  /** `describe`: the statement it is about, where that is certain. */
  readonly of?: Statement
  /** `describe` of our own: the execution whose rows it explains. */
  readonly describes?: Turn
  /** `execute`: what runs, where that is certain. */
  readonly portal?: Portal
  /** In place of the request went one that fails; its error is answered with this refusal. */
  refusal?: Refusal | undefined
  /** The rest of the answer is swallowed: the client has been told that it was cut. */
  cut?: boolean
  /** How the rows of this answer are treated; undefined until described. */
  columns?: readonly Field[] | undefined
  copy?: CopyShape | undefined
  copyIn?: boolean
}

/**
 * The answers the server owes, in order.
 *
 *   head            server sends                       then
 *   parse           ParseComplete                      next
 *   bind            BindComplete                       next
 *   describe        RowDescription | NoData            next
 *   close           CloseComplete                      next
 *   execute         CommandComplete | EmptyQuery | PortalSuspended   next
 *   any of these    ErrorResponse                      everything up to the group's sync is skipped
 *   query, function any, ErrorResponse too             stays until ReadyForQuery
 *   sync            ReadyForQuery                      next
 */
export class Turns {
  #queue: Turn[] = []
  #head = 0

  push(turn: Turn): void {
    this.#queue.push(turn)
  }

  get head(): Turn | undefined {
    return this.#queue[this.#head]
  }

  get length(): number {
    return this.#queue.length - this.#head
  }

  next(): void {
    this.#queue[this.#head] = DONE
    this.#head++
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  /** After an error in the extended protocol: the head, and all up to the sync that ends its group, are never answered. */
  skipToSync(): void {
    while (this.head !== undefined && this.head.kind !== 'sync') this.next()
  }

  /** ReadyForQuery ends a sync, a query or a function call; answers still listed before it were never owed. */
  ready(): Turn | undefined {
    for (let turn = this.head; turn !== undefined; turn = this.head) {
      this.next()
      if (turn.kind === 'sync' || turn.kind === 'query' || turn.kind === 'function') return turn
    }
    return undefined
  }

  /** A server in COPY FROM STDIN ignores Sync: those already sent are not answered. */
  forgetSyncs(): void {
    const [head, ...rest] = this.#queue.slice(this.#head)
    this.#queue = head === undefined ? [] : [head, ...rest.filter((turn) => turn.kind !== 'sync')]
    this.#head = 0
  }
}

const DONE: Turn = { kind: 'sync', group: 0, statement: 0, sql: '' }
