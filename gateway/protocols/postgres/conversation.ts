import { createHash } from 'node:crypto'
import { ApplianceError } from '../../../schemas/errors.ts'
import { Registry } from './registry.ts'
import type { Portal, Statement } from './statement.ts'
import { Turns } from './turns.ts'

/** Names a client may have defined at once. Drivers keep hundreds; a flood of names is memory of ours. */
export const MAX_NAMES = 10_000
/** Requests a client may have sent without having taken an answer. pgbench pipelines 1,000. */
export const MAX_TURNS = 100_000

/** What both directions of one session know of each other. */
export class Conversation {
  readonly turns = new Turns()
  readonly statements = new Registry<Statement>()
  readonly portals = new Registry<Portal>()
  /** SQL-level PREPARE: name to every text it was given. SQL may re-prepare without our seeing whether it succeeded. */
  readonly prepared = new Map<string, Set<string>>()
  #group = 0
  #statement = 0
  #status = 0x49 // I: idle
  #settings = ''
  /** The group in which a request was refused: the server skips the rest of it. */
  refusedGroup = -1
  /** A COPY FROM STDIN was refused: the client goes on sending until it has read the error. */
  copyRefused = false

  get group(): number {
    return this.#group
  }

  get inTransaction(): boolean {
    return this.#status !== 0x49
  }

  /** Digest of every SET and role change so far: part of what an approval is bound to. */
  get settings(): string {
    return this.#settings
  }

  nextStatement(): number {
    return ++this.#statement
  }

  nextGroup(): void {
    this.#group++
  }

  changed(sql: string): void {
    this.#settings = createHash('sha256').update(this.#settings).update('\0').update(sql).digest('hex')
  }

  ready(status: number): void {
    this.#status = status
    this.turns.ready()
    this.copyRefused = false
  }

  /** Throws PROTOCOL_OVERSIZE when a client defines or asks more than a session may keep. */
  check(): void {
    const names = this.statements.size + this.portals.size + this.prepared.size
    if (names > MAX_NAMES)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `${names} prepared statements and portals; limit ${MAX_NAMES}: close some`)
    if (this.turns.length > MAX_TURNS)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `${this.turns.length} requests without an answer taken; limit ${MAX_TURNS}`)
  }
}
