import { type Facts, MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import type { Message } from '../message.ts'
import type { CompiledRule } from './rule.ts'
import type { Matched } from './settle.ts'
import type { Counter } from './threshold.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Statements a client may have sent ahead of their results and that a threshold has to remember. */
const MAX_PENDING_STATEMENTS = 10_000

/** Where the fingerprint stands in a span (schemas/frame.ts, Masks). */
const FINGERPRINT_AT = 8

/** What counts for one statement, or for all executions of one cursor or portal. */
interface Watch {
  /** The conditional rules armed for it; undefined: its text is not known, so all of them count. */
  readonly armed: ReadonlySet<CompiledRule> | undefined
  readonly running: Running[]
}

interface Numbered {
  readonly number: number
  readonly watch: Watch
}

/**
 * Watches by the number of their statement, in the order they were set. The first two stand apart, the one that was answered last and the one
 * that is next: most sessions have no more, and would go on filling and emptying a map.
 */
class Watches {
  #first: Numbered | undefined
  #second: Numbered | undefined
  readonly #others = new Map<number, Watch>()

  get size(): number {
    return this.#others.size + (this.#first === undefined ? 0 : 1) + (this.#second === undefined ? 0 : 1)
  }

  get(number: number): Watch | undefined {
    if (this.#first?.number === number) return this.#first.watch
    return this.#second?.number === number ? this.#second.watch : this.#others.get(number)
  }

  set(number: number, watch: Watch): void {
    if (this.#first?.number === number) this.#first = { number, watch }
    else if (this.#second?.number === number) this.#second = { number, watch }
    // What is set later stands behind what is there.
    else if (this.#others.size > 0) this.#others.set(number, watch)
    else if (this.#first === undefined) this.#first = { number, watch }
    else if (this.#second === undefined) this.#second = { number, watch }
    else this.#others.set(number, watch)
  }

  /** Forgets the oldest; false where there is none. */
  forgetOldest(): boolean {
    if (this.#first !== undefined) {
      this.#first = this.#second
      this.#second = undefined
      return true
    }
    const [oldest] = this.#others.keys()
    return oldest !== undefined && this.#others.delete(oldest)
  }

  /** Forgets those that were set before the first of this number or a higher one; what belongs to none stays. */
  forgetBefore(number: number): void {
    const first = this.#first
    if (first !== undefined && first.number >= number) return
    const second = this.#second
    const isSecondOver = second !== undefined && second.number < number
    if (isSecondOver && second.number !== NO_STATEMENT) this.#second = undefined
    if (first !== undefined && first.number !== NO_STATEMENT) {
      this.#first = this.#second
      this.#second = undefined
    }
    if (this.#others.size === 0 || (second !== undefined && !isSecondOver)) return
    for (const known of this.#others.keys()) {
      if (known >= number) return
      if (known !== NO_STATEMENT) this.#others.delete(known)
    }
  }
}

interface Running {
  readonly rule: CompiledRule
  readonly counter: Counter
  noted: boolean
}

/** Whether others count towards it. */
function isAgreed({ threshold }: CompiledRule): boolean {
  return threshold !== undefined && 'windowMs' in threshold
}

/**
 * What a session's thresholds have seen. A threshold that asks something of the statement is armed when the statement is
 * judged, and counts its results later; a result of a statement unknown here is counted by every threshold.
 */
export class ReplyCounters {
  readonly #byKind = new Map<string, readonly CompiledRule[]>()
  readonly #fromClient: ReadonlySet<string>
  readonly #session = new Map<CompiledRule, Running>()
  /** By statement; a FETCH shares the counters of its cursor. */
  readonly #statements = new Watches()
  readonly #cursors = new Map<string, Watch>()
  readonly #concurrent: boolean
  /** The thresholds that ask something of a statement. */
  readonly conditional: readonly CompiledRule[]
  readonly #perStatement: boolean
  /** Whether any of them counts what is agreed on with other processes. */
  readonly agreed: boolean
  /** Rules whose hours these are not: they count nothing. */
  asleep: ReadonlySet<CompiledRule> = NONE_ARMED

  readonly #start: (rule: CompiledRule) => Counter
  /** What count different values, if any. */
  readonly #distinct: readonly CompiledRule[]

  constructor(
    rules: readonly CompiledRule[],
    kindsOf: (rule: CompiledRule) => readonly string[],
    vocabulary: Vocabulary,
    start: (rule: CompiledRule) => Counter,
  ) {
    this.#start = start
    this.#distinct = rules.filter(({ threshold }) => threshold !== undefined && threshold.distinct < Number.POSITIVE_INFINITY)
    this.#fromClient = vocabulary.fromClient
    this.#concurrent = vocabulary.concurrent === true
    for (const rule of rules) {
      for (const kind of kindsOf(rule)) this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), rule])
    }
    this.conditional = rules.filter(({ asksStatement }) => asksStatement)
    this.agreed = rules.some(isAgreed)
    this.#perStatement = rules.some(({ threshold }) => threshold?.per === 'statement')
  }

  /** Rules of the same ids count on in the session, under their new limits; statements that run meanwhile are counted anew. */
  goOn(before: ReplyCounters): void {
    const rules = new Set([...this.#byKind.values()].flat().filter(({ threshold }) => threshold?.per === 'session'))
    for (const rule of rules) {
      const old = [...before.#session.values()].find(
        ({ rule: { id, threshold } }) => id === rule.id && threshold?.per === 'session',
      )
      if (old === undefined || rule.threshold === undefined) continue
      this.#session.set(rule, { rule, counter: old.counter.under(rule.threshold), noted: false })
    }
  }

  /** A statement with these facts is about to run; `armed`: those of `conditional` that count its results. False when too many wait already. */
  arm(message: Message, facts: Facts, armed: ReadonlySet<CompiledRule>): boolean {
    if (this.conditional.length === 0 && !this.#perStatement) return true
    const statement = statementOf(message)
    if (statement === undefined) return true
    if (this.#statements.size >= MAX_PENDING_STATEMENTS && !this.#forgetOldest()) return false
    const { executes, prepares } = facts
    const portal = message.common === undefined ? facts['portal'] : message.portalInParts
    if (executes === undefined && prepares === undefined && portal === undefined) {
      this.#statements.set(statement, { armed, running: [] })
      return true
    }
    const running: Running[] = []
    const part = typeof portal === 'number' ? `portal:${portal}` : undefined
    const cursors = [...strings(executes).filter((name) => name.startsWith('cursor:')), ...(part === undefined ? [] : [part])]
    const known = cursors.map((name) => this.#cursors.get(name)).find((cursor) => cursor !== undefined)
    this.#statements.set(
      statement,
      known === undefined
        ? { armed, running }
        : { armed: new Set([...armed, ...(known.armed ?? this.conditional)]), running: known.running },
    )
    if (part !== undefined && known === undefined) this.#keep(part, { armed, running })
    for (const name of strings(prepares)) {
      // A FETCH has the facts of its DECLARE, prepares among them.
      if (!name.startsWith('cursor:') || (cursors.includes(name) && this.#cursors.has(name))) continue
      if (this.#cursors.size < MAX_PENDING_STATEMENTS) this.#cursors.set(name, { armed, running })
    }
    return true
  }

  /** Portals come and go by the thousand: beyond the limit the oldest is forgotten, and the session's own thresholds remain. */
  #keep(portal: string, entry: Watch): void {
    if (this.#cursors.size >= MAX_PENDING_STATEMENTS) {
      const oldest = [...this.#cursors.keys()].find((name) => name.startsWith('portal:'))
      if (oldest !== undefined) this.#cursors.delete(oldest)
    }
    this.#cursors.set(portal, entry)
  }

  /** What has to be waited for before this message can be counted, if anything. Rules in shadow ask for it, too, and nobody waits for them. */
  waits(message: Message): Promise<void> | undefined {
    const rules = this.#byKind.get(message.kind)?.filter(isAgreed) ?? []
    if (rules.length === 0 || (message.units === 0 && message.part === 'whole')) return undefined
    const watch = this.#watchOf(message)
    const waiting = rules.flatMap((rule) => {
      const wait = this.asleep.has(rule) ? undefined : this.#running(rule, watch)?.counter.waits(message)
      return wait === undefined || rule.shadow ? [] : [wait]
    })
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined)
  }

  /** Counts a message that passes; the thresholds it crosses. */
  count(message: Message): readonly Matched[] {
    const rules = this.#byKind.get(message.kind)
    if (rules === undefined || (message.units === 0 && message.part === 'whole')) return NONE
    const watch = this.#watchOf(message)
    let found: Matched[] | undefined
    for (const rule of rules) {
      if (this.asleep.has(rule)) continue
      const running = this.#running(rule, watch)
      const keep = running?.counter.count(message)
      if (running === undefined || keep === undefined) continue
      // One that did not wait may have nothing left and be within its limit all the same.
      if (rule.shadow && (running.noted || !running.counter.over)) continue
      running.noted = true
      const base = { id: rule.shownId, reason: rule.reason, hint: rule.hint, hold: rule.hold }
      found ??= []
      if (rule.shadow) found.push({ ...base, act: 'note' })
      else if (running.counter.unanswered) found.push({ ...base, act: 'block', ...UNANSWERED, keep })
      else found.push({ ...base, act: rule.action, keep })
    }
    return found ?? NONE
  }

  /** A message was masked on its way: its values, by their fingerprints. */
  seen(message: Message, { spans }: Masks): void {
    const rules = this.#distinct.filter((rule) => this.#byKind.get(message.kind)?.includes(rule))
    if (rules.length === 0) return
    const watch = this.#watchOf(message)
    const view = new DataView(spans.buffer, spans.byteOffset, spans.byteLength)
    for (const rule of rules) {
      const counter = this.asleep.has(rule) ? undefined : this.#running(rule, watch)?.counter
      if (counter === undefined) continue
      for (let at = FINGERPRINT_AT; at < spans.length; at += MASK_SPAN_SIZE) counter.seen(view.getBigUint64(at))
    }
  }

  /** After a hold was approved: its thresholds begin anew; those that block and are over still do. */
  extend(message: Message): readonly Matched[] {
    const watch = this.#watchOf(message)
    const found: Matched[] = []
    for (const rule of this.#byKind.get(message.kind) ?? []) {
      const counter = this.#running(rule, watch)?.counter
      if (counter?.over !== true || rule.shadow) continue
      if (rule.action === 'hold') counter.extend()
      else found.push({ id: rule.shownId, act: rule.action, reason: rule.reason, hint: rule.hint, hold: rule.hold })
    }
    return found
  }

  /** Of the statement a message belongs to; where nothing tells which, of all of them together. */
  #watchOf(message: Message): Watch {
    const numbered = this.#concurrent || !this.#fromClient.has(message.kind)
    const needed = (this.#perStatement || this.conditional.length > 0) && numbered
    const number = needed ? statementOf(message) : undefined
    // Results come in the order of their statements: those before are over.
    if (number !== undefined && !this.#concurrent) this.#statements.forgetBefore(number)
    const known = this.#statements.get(number ?? NO_STATEMENT)
    if (known !== undefined) return known
    const watch: Watch = { armed: undefined, running: [] }
    this.#statements.set(number ?? NO_STATEMENT, watch)
    return watch
  }

  /** undefined where the rule does not count this statement. */
  #running(rule: CompiledRule, { armed, running }: Watch): Running | undefined {
    if (armed !== undefined && rule.asksStatement && !armed.has(rule)) return undefined
    if (rule.threshold?.per !== 'statement') return this.#ofSession(rule)
    for (const one of running) if (one.rule === rule) return one
    const made = this.#startCounting(rule)
    running.push(made)
    return made
  }

  #ofSession(rule: CompiledRule): Running {
    const known = this.#session.get(rule)
    if (known !== undefined) return known
    const made = this.#startCounting(rule)
    this.#session.set(rule, made)
    return made
  }

  /** Where they come in any order, one that never had an end goes: what still comes of it is counted by every threshold. */
  #forgetOldest(): boolean {
    return this.#concurrent && this.#statements.forgetOldest()
  }

  #startCounting(rule: CompiledRule): Running {
    return { rule, counter: this.#start(rule), noted: false }
  }
}

/** The number in `facts()`, where there is one. */
function statementOf(message: Message): number | undefined {
  if (message.statement !== undefined) return message.statement
  const { statement } = message.facts()
  return typeof statement === 'number' ? statement : undefined
}

const UNANSWERED = {
  reason: 'what this identity was given lately cannot be counted: the other gateways cannot be asked',
  hint: 'try again in a moment; nothing passes uncounted',
}

const NONE_ARMED: ReadonlySet<CompiledRule> = new Set()
const NONE: readonly Matched[] = []
/** Where the protocol does not say which statement a message belongs to, all of them are one. */
const NO_STATEMENT = -1

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value : []
}
