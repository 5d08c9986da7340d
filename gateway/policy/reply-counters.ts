import type { Facts } from '../../schemas/frame.ts'
import type { Message } from '../message.ts'
import type { Surroundings } from './match.ts'
import type { CompiledRule } from './rule.ts'
import type { Matched } from './settle.ts'
import { Counter } from './threshold.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Statements a client may have sent ahead of their results and that a threshold has to remember. */
const MAX_PENDING_STATEMENTS = 10_000

/** What the executions of one cursor or portal share. */
interface CursorCounters {
  readonly armed: ReadonlySet<CompiledRule>
  readonly counters: Map<CompiledRule, Running>
}

interface Running {
  readonly rule: CompiledRule
  readonly counter: Counter
  noted: boolean
}

/**
 * What a session's thresholds have seen. A threshold that asks something of the statement is armed when the statement is
 * judged, and counts its results later; a result of a statement unknown here is counted by every threshold.
 */
export class ReplyCounters {
  readonly #byKind = new Map<string, readonly CompiledRule[]>()
  readonly #fromClient: ReadonlySet<string>
  readonly #session = new Map<CompiledRule, Running>()
  /** Statement -> the conditional rules armed for it. */
  readonly #armed = new Map<number, ReadonlySet<CompiledRule>>()
  /** Statement -> its own counters; a FETCH shares those of its cursor. */
  readonly #statements = new Map<number, Map<CompiledRule, Running>>()
  readonly #cursors = new Map<string, CursorCounters>()
  readonly #conditional: readonly CompiledRule[]
  readonly #perStatement: boolean

  constructor(rules: readonly CompiledRule[], kindsOf: (rule: CompiledRule) => readonly string[], vocabulary: Vocabulary) {
    this.#fromClient = vocabulary.fromClient
    for (const rule of rules) {
      for (const kind of kindsOf(rule)) this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), rule])
    }
    this.#conditional = rules.filter(({ asksStatement }) => asksStatement)
    this.#perStatement = rules.some(({ threshold }) => threshold?.per === 'statement')
  }

  /** A statement is about to run. False when too many wait already. */
  arm(facts: Facts, around: Surroundings): boolean {
    const { statement } = facts
    if (typeof statement !== 'number' || (this.#conditional.length === 0 && !this.#perStatement)) return true
    if (this.#armed.size >= MAX_PENDING_STATEMENTS) return false
    const armed = new Set(this.#conditional.filter((rule) => rule.matches(facts, around)))
    const counters = new Map<CompiledRule, Running>()
    const { portal } = facts
    const part = typeof portal === 'number' ? `portal:${portal}` : undefined
    const cursors = [
      ...strings(facts['executes']).filter((name) => name.startsWith('cursor:')),
      ...(part === undefined ? [] : [part]),
    ]
    const known = cursors.map((name) => this.#cursors.get(name)).find((cursor) => cursor !== undefined)
    this.#armed.set(statement, known === undefined ? armed : new Set([...armed, ...known.armed]))
    this.#statements.set(statement, known?.counters ?? counters)
    if (part !== undefined && known === undefined) this.#keep(part, { armed, counters })
    for (const name of strings(facts['prepares'])) {
      // A FETCH has the facts of its DECLARE, prepares among them.
      if (!name.startsWith('cursor:') || (cursors.includes(name) && this.#cursors.has(name))) continue
      if (this.#cursors.size < MAX_PENDING_STATEMENTS) this.#cursors.set(name, { armed, counters })
    }
    return true
  }

  /** Portals come and go by the thousand: beyond the limit the oldest is forgotten, and the session's own thresholds remain. */
  #keep(portal: string, entry: CursorCounters): void {
    if (this.#cursors.size >= MAX_PENDING_STATEMENTS) {
      const oldest = [...this.#cursors.keys()].find((name) => name.startsWith('portal:'))
      if (oldest !== undefined) this.#cursors.delete(oldest)
    }
    this.#cursors.set(portal, entry)
  }

  /** Counts a message that passes; the thresholds it crosses. */
  count(message: Message): readonly Matched[] {
    const rules = this.#byKind.get(message.kind)
    if (rules === undefined || (message.units === 0 && message.part === 'whole')) return NONE
    const found: Matched[] = []
    for (const running of this.#running(rules, message)) {
      const keep = running.counter.count(message)
      if (keep === undefined) continue
      const { rule } = running
      if (rule.shadow && running.noted) continue
      running.noted = true
      const base = { id: rule.shownId, reason: rule.reason, hint: rule.hint, hold: rule.hold }
      found.push(rule.shadow ? { ...base, act: 'note' } : { ...base, act: rule.action, keep })
    }
    return found
  }

  /** After a hold was approved: its thresholds begin anew; those that block and are over still do. */
  extend(message: Message): readonly Matched[] {
    const rules = this.#byKind.get(message.kind) ?? []
    const found: Matched[] = []
    for (const { rule, counter } of this.#running(rules, message)) {
      if (!counter.over || rule.shadow) continue
      if (rule.action === 'hold') counter.extend()
      else found.push({ id: rule.shownId, act: rule.action, reason: rule.reason, hint: rule.hint, hold: rule.hold })
    }
    return found
  }

  #running(rules: readonly CompiledRule[], message: Message): readonly Running[] {
    const statement = this.#needsStatement(message) ? message.facts()['statement'] : undefined
    const number = typeof statement === 'number' ? statement : undefined
    if (number !== undefined) this.#forgetBefore(number)
    const armed = number === undefined ? undefined : this.#armed.get(number)
    const running: Running[] = []
    for (const rule of rules) {
      if (armed !== undefined && rule.asksStatement && !armed.has(rule)) continue
      running.push(rule.threshold?.per === 'session' ? this.#ofSession(rule) : this.#ofStatement(rule, number ?? NO_STATEMENT))
    }
    return running
  }

  #needsStatement(message: Message): boolean {
    return (this.#perStatement || this.#conditional.length > 0) && !this.#fromClient.has(message.kind)
  }

  #ofSession(rule: CompiledRule): Running {
    const known = this.#session.get(rule)
    if (known !== undefined) return known
    const made = running(rule)
    this.#session.set(rule, made)
    return made
  }

  #ofStatement(rule: CompiledRule, statement: number): Running {
    const counters = this.#statements.get(statement) ?? new Map<CompiledRule, Running>()
    this.#statements.set(statement, counters)
    const known = counters.get(rule)
    if (known !== undefined) return known
    const made = running(rule)
    counters.set(rule, made)
    return made
  }

  /** Results come in the order of their statements: those before are over. */
  #forgetBefore(statement: number): void {
    for (const table of [this.#armed, this.#statements]) {
      for (const known of table.keys()) {
        if (known >= statement) break
        if (known !== NO_STATEMENT) table.delete(known)
      }
    }
  }
}

const NONE: readonly Matched[] = []
/** Where the protocol does not say which statement a message belongs to, all of them are one. */
const NO_STATEMENT = -1

function running(rule: CompiledRule): Running {
  return { rule, counter: new Counter(rule.threshold ?? { rows: 0, bytes: 0 }), noted: false }
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value : []
}
