import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field } from '../../message.ts'
import type { CopyShape } from './copy.ts'
import type { OwnRefusal } from './refuse.ts'
import type { Portal, Statement } from './statement.ts'

/** One answer the server owes. `group` counts Syncs: after an error the server skips to the end of the group. */
export interface Turn {
  readonly kind: 'parse' | 'bind' | 'describe' | 'close' | 'execute' | 'sync' | 'query' | 'function' | 'copy-end'
  readonly group: number
  /** Ordinal of the executed statement, for thresholds and the tape; 0 where nothing executes. */
  readonly statement: number
  /** Asked by the gateway itself: the answer is swallowed. */
  readonly own?: boolean
  /** The text that answers; empty where nothing executes. */
  readonly sql: string
  /** `describe`: the statement it is about, where that is certain, and the generation of names it is described in. */
  readonly of?: { readonly statement: Statement; readonly generation: number } | undefined
  /** `describe` of our own: the execution whose rows it explains. */
  readonly describes?: Turn | undefined
  /** `execute`: what runs, where that is certain. */
  readonly portal?: Portal | undefined
  /** `close`, and a DEALLOCATE: forgets the name, or all of them. */
  readonly forget?: (() => void) | undefined
  /** `sync`: COPY data stood between it and the request before. */
  readonly afterData?: boolean
  /** In place of the request went one that fails; its error is answered with this refusal. */
  refusal?: OwnRefusal | undefined
  /** The rest of the answer is swallowed: the client has been told that it was cut. */
  cut?: boolean
  /** `query`, `function`: a result, a completion or an error has come, so ReadyForQuery may. */
  answered?: boolean
  /** How the rows of this answer are treated; undefined until described. */
  columns?: readonly Field[] | undefined
  /** The server is sending COPY data for it. */
  copyOut?: boolean
  copy?: CopyShape | undefined
  /** The server has asked for COPY data. */
  copyIn?: boolean
  /** Syncs sent before the COPY data, which the server ignores unless it failed before it read any. */
  ignoredSyncCount?: number
}

/** A turn as most are, all of one shape: what is asked of every answer finds its properties in the same places. */
export function owed(
  kind: Turn['kind'],
  group: number,
  statement: number,
  sql: string,
  of?: Turn['of'],
  portal?: Portal,
  afterData = false,
  forget?: Turn['forget'],
): Turn {
  return new Owed(kind, group, statement, sql, of, portal, afterData, forget)
}

class Owed implements Turn {
  readonly kind: Turn['kind']
  readonly group: number
  readonly statement: number
  readonly sql: string
  readonly own = false
  readonly of: Turn['of']
  readonly describes: Turn | undefined = undefined
  readonly portal: Portal | undefined
  readonly forget: Turn['forget']
  readonly afterData: boolean
  refusal: OwnRefusal | undefined = undefined
  cut = false
  answered = false
  columns: readonly Field[] | undefined = undefined
  copyOut = false
  copy: CopyShape | undefined = undefined
  copyIn = false
  ignoredSyncCount = 0

  constructor(
    kind: Turn['kind'],
    group: number,
    statement: number,
    sql: string,
    of: Turn['of'],
    portal: Portal | undefined,
    afterData: boolean,
    forget: Turn['forget'],
  ) {
    this.kind = kind
    this.group = group
    this.statement = statement
    this.sql = sql
    this.of = of
    this.portal = portal
    this.afterData = afterData
    this.forget = forget
  }
}

/** Kinds whose error makes the server skip to the next Sync. */
const EXTENDED: ReadonlySet<Turn['kind']> = new Set(['parse', 'bind', 'describe', 'close', 'execute'])

export function skipsOnError(turn: Turn): boolean {
  return EXTENDED.has(turn.kind)
}

/** Drained turns stay in the array up to this many, so that taking one does not move the others. */
const MAX_SPENT = 1024

/**
 * The answers the server owes, in order. What it sends must fit the head: an answer given to the wrong request would be
 * masked by the wrong columns, so anything else ends the session.
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
 *   copy-end        nothing: it marks a CopyDone or CopyFail among the requests, for a COPY that turns out to read it
 */
export class Turns {
  #queue: Turn[] = []
  #head = 0

  push(turn: Turn): void {
    if (turn.kind !== 'copy-end' || this.length > 0) this.#queue.push(turn)
  }

  get head(): Turn | undefined {
    return this.#queue[this.#head]
  }

  /** The latest request that executes something: the one COPY data belongs to. */
  get latest(): Turn | undefined {
    return this.#queue.findLast((turn, index) => index >= this.#head && (turn.kind === 'query' || turn.kind === 'execute'))
  }

  /** Whether something behind the head may have been executed, by the time its answer is read. */
  get executesBehind(): boolean {
    return this.#queue.some((turn, index) => index > this.#head && turn.statement > 0)
  }

  get length(): number {
    return this.#queue.length - this.#head
  }

  next(): void {
    do {
      this.#queue[this.#head] = SPENT
      this.#head++
    } while (this.head?.kind === 'copy-end')
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (this.#head > MAX_SPENT) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  /**
   * The server answered the head with an error. True where it now skips requests that were not even sent yet: all up to
   * the next Sync. Throws where it cannot be known which of those in flight it skips.
   */
  fail(): boolean {
    const failed = this.head
    if (failed === undefined) return false
    failed.answered = true
    if (!skipsOnError(failed)) return false
    this.next()
    while (this.head !== undefined && this.head.kind !== 'sync') {
      // Had the COPY failed before it read anything, the Sync in front of its data would have ended the skipping.
      if ((failed.ignoredSyncCount ?? 0) > 0) throw outOfStep('a request between a failed COPY and its Sync')
      this.next()
    }
    return this.head === undefined
  }

  /** ReadyForQuery ends a sync, a query or a function call. */
  ready(): void {
    const { head } = this
    if (head?.kind !== 'sync' && head?.answered !== true) throw outOfStep('ReadyForQuery before an answer')
    this.next()
  }

  /**
   * The head became a COPY FROM STDIN: what was sent after it is data up to the first copy-end, and Syncs in it are ignored
   * (manual, "COPY Operations"). True while that end has not been sent.
   */
  enterCopy(): boolean {
    const [copying, ...sent] = this.#queue.slice(this.#head)
    if (copying === undefined) throw outOfStep('CopyInResponse')
    const end = sent.findIndex((turn) => turn.kind === 'copy-end')
    const inside = end === -1 ? sent : sent.slice(0, end)
    if (inside.some((turn) => turn.kind !== 'sync' || turn.afterData === true)) throw outOfStep('a request inside COPY data')
    copying.copyIn = true
    copying.ignoredSyncCount = (copying.ignoredSyncCount ?? 0) + inside.length
    this.#queue = [copying, ...(end === -1 ? [] : sent.slice(end + 1))]
    this.#head = 0
    return end === -1
  }
}

/** The two ends no longer mean the same by what they say; going on could mask an answer by another's columns. */
export function outOfStep(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `${what} does not fit what went before; the session cannot be followed further`)
}

const SPENT: Turn = owed('copy-end', 0, 0, '')
