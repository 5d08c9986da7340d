import { createHash } from 'node:crypto'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import { OwnNames } from './own-names.ts'
import { Registry } from './registry.ts'
import { MAX_MESSAGE_BYTES } from './splitter.ts'
import type { Portal, Statement } from './statement.ts'
import { outOfStep, owed, skipsOnError, Turns } from './turns.ts'

/** Names a client may have defined at once. Drivers keep hundreds; a flood of names is memory of ours. */
export const MAX_NAMES = 10_000
/** And what stands behind these names, texts and parameters: the largest message, and as much again. */
const MAX_NAMED_SIZE = 2 * MAX_MESSAGE_BYTES
/**
 * With so many requests unanswered nothing more is read from the client until some are. Well above what makes a server
 * send: its buffer of 8 KiB holds 1,638 of the shortest answers, so that a pipeline without a Sync cannot come to a stand.
 */
const CROWDED_TURNS = 4_000
/** Requests without an answer that end the session: CROWDED_TURNS and what a full lane may add to them. */
const MAX_TURNS = 100_000

const IDLE = 0x49 // I
/** DECLARE ... WITH HOLD says so in this word, whatever else stands in a text that has it. */
const HOLD = /hold/i

/** Verbs that neither create nor drop anything, nor change where names are looked up. */
const STEADY_VERBS: ReadonlySet<unknown> = new Set([
  ...[
    'SELECT',
    'INSERT',
    'UPDATE',
    'DELETE',
    'MERGE',
    'COPY',
    'EXPLAIN',
    'SHOW',
    'LISTEN',
    'UNLISTEN',
    'NOTIFY',
    'LOCK',
    'FETCH',
  ],
  ...['MOVE', 'CLOSE', 'DECLARE', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE', 'ANALYZE'],
])

/** See carried.ts: given to a function that keeps or sends it on. */
const KEPT_SOMEWHERE = `${ANY_COLUMN}<`

/** By the facts of a text, which are the same object whenever it comes again. */
const steadiness = new WeakMap<Facts, boolean>()

function isSteady(facts: Facts): boolean {
  const known = steadiness.get(facts)
  if (known !== undefined) return known
  const { verbs = [], function_categories: categories = [], carried = [] } = facts
  const steady =
    facts['parse_ok'] === true &&
    facts['ddl'] !== true &&
    facts['dynamic'] !== true &&
    facts['sets'] === undefined &&
    Array.isArray(verbs) &&
    verbs.every((verb) => STEADY_VERBS.has(verb)) &&
    Array.isArray(categories) &&
    !categories.includes('unknown') &&
    // What was put somewhere by a function changes what is to be thought of statements that read it there.
    Array.isArray(carried) &&
    !carried.some((flow) => flow.startsWith(KEPT_SOMEWHERE))
  steadiness.set(facts, steady)
  return steady
}

/** What both directions of one session know of each other. */
export class Conversation {
  readonly turns = new Turns()
  readonly statements = new Registry<Statement>(({ sql, types }) => sql.length + (types?.length ?? 0))
  readonly portals = new Registry<Portal>(({ parameters }) => parameters.length)
  /** SQL-level PREPARE and DECLARE: name to every text it was given. SQL may define it anew without our seeing whether it succeeded. */
  readonly prepared = new Map<string, Map<string, Statement>>()
  readonly ownNames = new OwnNames()
  #preparedCount = 0
  #preparedSize = 0
  /** Those of them that are cursors, declared since the server was last at rest. */
  readonly #cursors = new Set<string>()
  #group = 0
  #statement = 0
  #status = IDLE
  #settings = ''
  #generation = 0
  /** What is known of the target as it was last, and how often it has been learned anew since. */
  #edition: object | undefined
  #editionCount = 0
  #unsteady = false
  #unread = false
  /** The group in which a request was refused: the server skips the rest of it. */
  refusedGroup = -1
  /** A COPY FROM STDIN was refused: the client goes on sending until it has read the error. */
  copyRefused = false
  /** An error was answered whose group's Sync has not been sent: the server ignores everything until then. */
  skipping: false | 'certain' | 'after-copy' = false
  /** The server reads COPY data, and the client has not ended it. */
  copyOpen = false
  /** COPY data was sent since the last request. */
  dataSent = false

  get group(): number {
    return this.#group
  }

  get inTransaction(): boolean {
    return this.#status !== IDLE
  }

  /** Whether the server may hold locks for this session: in a transaction, or in what it has not answered yet, which may begin one. */
  get mayHoldLocks(): boolean {
    return this.inTransaction || this.turns.length > 0
  }

  /** Digest of every SET and role change so far: part of what an approval is bound to. */
  get settings(): string {
    return this.#settings
  }

  /**
   * Counts the times at which a name in a text may have come to mean another table: after DDL, SET search_path, the end of
   * the transaction they stood in, or somebody's elsewhere. Columns described in one generation say nothing of a statement bound
   * in another.
   */
  get generation(): number {
    return this.#generation + this.#editionCount
  }

  /** Those of them that this session brought about. */
  get ownGeneration(): number {
    return this.#generation
  }

  /** A request is read while this is known of the target. */
  known(edition: object | undefined): void {
    if (edition === this.#edition) return
    if (this.#edition !== undefined) this.#editionCount++
    this.#edition = edition
  }

  /**
   * A statement that may change how the server reads texts was sent and not yet answered by ReadyForQuery (which is when
   * the server reports such a change): a text sent now might not be what it seems.
   */
  get unread(): boolean {
    return this.#unread
  }

  /** The number the next statement to go to the server will have. */
  get upcomingStatement(): number {
    return this.#statement + 1
  }

  nextStatement(): number {
    return ++this.#statement
  }

  /** A Sync is sent: it ends a group, but for one that a COPY reads. */
  sync(): void {
    const { turns } = this
    if (this.copyOpen && turns.head !== undefined) {
      if (this.dataSent) throw outOfStep('Sync inside COPY data')
      turns.head.ignoredSyncCount = (turns.head.ignoredSyncCount ?? 0) + 1
      return
    }
    turns.push(owed('sync', this.#group, 0, '', undefined, undefined, this.dataSent))
    this.skipping = false
    this.#group++
    if (this.#unsteady) this.#generation++
  }

  /** CopyDone or CopyFail is sent. */
  endCopy(): void {
    if (this.copyOpen) this.copyOpen = false
    else this.turns.push({ kind: 'copy-end', group: this.#group, statement: 0, sql: '' })
    this.dataSent = false
  }

  /**
   * Whether the server will come to a request (not Sync, Flush or COPY data) sent now; false where it skips.
   * Throws where that is not certain.
   */
  takes(): boolean {
    if (this.copyOpen) throw outOfStep('a request inside COPY data')
    if (this.skipping === 'after-copy') throw outOfStep('a request between a failed COPY and its Sync')
    if (this.skipping === 'certain') return false
    this.dataSent = false
    return true
  }

  get crowded(): boolean {
    return this.turns.length > CROWDED_TURNS
  }

  changed(sql: string): void {
    this.#settings = createHash('sha256').update(this.#settings).update('\0').update(sql).digest('hex')
  }

  /** A statement with these facts was sent for execution. */
  executed(facts: Facts, sql: string): void {
    if (!isSteady(facts)) {
      this.#unsteady = true
      this.ownNames.executed(facts, sql)
    }
    if (this.#unsteady) this.#generation++
    if (facts['parser_change'] === true) this.#unread = true
  }

  /** SQL text defined `name` (`statement:s`, `cursor:c`). */
  define(name: string, sql: string): void {
    const texts = this.prepared.get(name) ?? new Map<string, Statement>()
    this.prepared.set(name, texts)
    if (name.startsWith('cursor:')) this.#cursors.add(name)
    if (texts.has(sql)) return
    texts.set(sql, { sql })
    this.#preparedCount++
    this.#preparedSize += sql.length
  }

  /** The server has given up a statement, or all of them: what SQL prepared, unless something sent since may have done so anew. */
  giveUp(name: string | undefined): void {
    if (name === undefined) this.statements.forgetNamed()
    else this.statements.forget(name)
    if (this.turns.executesBehind) return
    for (const key of name === undefined ? this.prepared.keys() : [`statement:${name}`])
      if (key.startsWith('statement:')) this.#drop(key)
  }

  #drop(key: string, keeps: (sql: string) => boolean = () => false): void {
    const texts = this.prepared.get(key)
    for (const sql of texts?.keys() ?? []) {
      if (keeps(sql)) continue
      texts?.delete(sql)
      this.#preparedCount--
      this.#preparedSize -= sql.length
    }
    if (texts?.size === 0) this.prepared.delete(key)
  }

  /** ErrorResponse to the head. */
  failed(): void {
    const { head } = this.turns
    this.copyOpen = false
    if (head === undefined) return
    head.copyOut = false
    if (skipsOnError(head)) {
      this.statements.fail(head.group)
      this.portals.fail(head.group)
    }
    if (this.turns.fail()) this.skipping = (head.ignoredSyncCount ?? 0) > 0 ? 'after-copy' : 'certain'
  }

  ready(status: number): void {
    this.turns.ready()
    this.#status = status
    // With its transaction the server drops every portal that was bound so far (manual, 54.2.3).
    if (status === IDLE) this.portals.clear()
    this.copyRefused = false
    this.copyOpen = false
    if (this.turns.length > 0) return
    this.#unread = false
    if (status !== IDLE) return
    this.#unsteady = false
    this.#dropCursors()
  }

  /** With their transaction go cursors that were not to be held, and nothing is under way that could have made one since. */
  #dropCursors(): void {
    for (const name of this.#cursors) this.#drop(name, (sql) => HOLD.test(sql))
    this.#cursors.clear()
  }

  /** Throws PROTOCOL_OVERSIZE when a client defines or asks more than a session may keep. */
  check(): void {
    const names = this.statements.size + this.portals.size + this.#preparedCount
    if (names > MAX_NAMES)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `${names} prepared statements and portals; limit ${MAX_NAMES}: close some`)
    const size = this.statements.namedSize + this.portals.namedSize + this.#preparedSize
    if (size > MAX_NAMED_SIZE)
      throw new ApplianceError(
        'PROTOCOL_OVERSIZE',
        `prepared statements and portals of ${size} bytes; limit ${MAX_NAMED_SIZE}: close some`,
      )
    if (this.turns.length > MAX_TURNS)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `${this.turns.length} requests without an answer taken; limit ${MAX_TURNS}`)
  }
}
