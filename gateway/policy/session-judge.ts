import { ApplianceError } from '../../schemas/errors.ts'
import type { Facts, Masks } from '../../schemas/frame.ts'
import type { Identity } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { Message } from '../message.ts'
import type { ConditionPlace } from './condition-facts.ts'
import { MINUTE_MS } from './hours.ts'
import type { Judge } from './judge.ts'
import type { Surroundings } from './match.ts'
import { ReplyCounters } from './reply-counters.ts'
import type { CompiledRule, Hold } from './rule.ts'
import { ALLOW, type Matched, settle } from './settle.ts'
import { SqlNames } from './sql/names.ts'
import type { Counter } from './threshold.ts'
import { outOfScope } from './token-scope.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface JudgeParts {
  /** Those that apply to this identity and target, in the order of the file. */
  readonly rules: readonly CompiledRule[]
  readonly vocabulary: Vocabulary
  readonly kindsOf: (rule: CompiledRule) => readonly string[]
  readonly sql: boolean
  readonly who: Identity['kind']
  /** All that may be asked for, where the proof says so. */
  readonly scope?: readonly string[] | undefined
  readonly shadow: boolean
  readonly searchPath: readonly string[]
  readonly place: ConditionPlace
  /** Ms since 1970; asked only where a rule has hours. */
  readonly now: () => number
  /** A threshold's counter, at the beginning of what it counts. */
  readonly counter: (rule: CompiledRule) => Counter
  readonly otherwise: 'allow' | 'block' | 'hold'
  readonly unparsable: 'block' | 'hold'
  /** What happens to a mask that is written back; with `allow` only rules that ask for it say. */
  readonly maskedWrite: 'block' | 'hold' | 'allow'
  /** How a hold that no rule shaped waits. */
  readonly hold: Hold
}

/** One session's judge. See judge.ts for the contract, docs/policy.md for the meaning. */
export class SessionJudge implements Judge {
  readonly #parts: JudgeParts
  readonly #rules = new Map<string, readonly CompiledRule[]>()
  readonly #counters: ReplyCounters
  readonly #names: SqlNames
  readonly #refusedParts: Map<number, Verdict>
  /** By kind, what follows from the facts that messages share; see `#known`. */
  #settled = new Map<string, WeakMap<Facts, Settled>>()
  #around: Surroundings
  readonly #timed: readonly CompiledRule[]
  /** The minute for which it was last found out whose hours these are. */
  #minute = Number.NaN

  /** `before`: the session's judge until now, under another policy; what the session did, and was given, is not forgotten. */
  constructor(parts: JudgeParts, before?: SessionJudge) {
    this.#parts = parts
    this.#names = before === undefined ? new SqlNames() : before.#names
    this.#refusedParts = before === undefined ? new Map() : before.#refusedParts
    const moved = before !== undefined && before.#around.searchPath === undefined
    this.#around = { searchPath: moved ? undefined : parts.searchPath, place: parts.place }
    this.#timed = parts.rules.filter(({ awake }) => awake !== undefined)
    for (const rule of parts.rules.filter(({ threshold }) => threshold === undefined)) {
      for (const kind of parts.kindsOf(rule)) this.#rules.set(kind, [...(this.#rules.get(kind) ?? []), rule])
    }
    this.#counters = new ReplyCounters(
      parts.rules.filter(({ threshold }) => threshold !== undefined),
      parts.kindsOf,
      parts.vocabulary,
      parts.counter,
    )
    if (before !== undefined) this.#counters.goOn(before.#counters)
  }

  seen(message: Message, masks: Masks): void {
    this.#counters.seen(message, masks)
  }

  waits(message: Message): Promise<void> | undefined {
    if (!this.#counters.agreed) return undefined
    if (this.#timed.length > 0) this.#wake()
    return this.#counters.waits(message)
  }

  judge(message: Message): Verdict {
    if (this.#timed.length > 0) this.#wake()
    if (message.from === 'server' || this.#parts.vocabulary.fromClient.has(message.kind)) return this.#passing(message)
    if (message.part === 'middle' || message.part === 'last') return this.#refusedParts.get(message.channel) ?? ALLOW
    const verdict = this.#asking(message, 'judge')
    if (message.part === 'first' && verdict.act === 'block') this.#refusedParts.set(message.channel, verdict)
    else this.#refusedParts.delete(message.channel)
    return verdict
  }

  review(message: Message): Verdict {
    if (this.#timed.length > 0) this.#wake()
    if (message.from === 'server' || this.#parts.vocabulary.fromClient.has(message.kind)) {
      // Reviewed means: an approver let it go on.
      return settle(this.#counters.extend(message), message, this.#parts.hold)
    }
    return this.#asking(message, 'review')
  }

  /** What passes through after it was asked for: rules that name its kind, and thresholds. */
  #passing(message: Message): Verdict {
    const rules = this.#rules.get(message.kind)
    const counted = this.#counters.count(message)
    const masked = message.from === 'client' ? this.#maskedWrite(message.facts()) : NONE
    if (rules === undefined && counted.length === 0 && masked.length === 0) return ALLOW
    const ruled = rules === undefined ? NONE : this.#match(rules, message.facts(), message.kind)
    const matched = [...masked, ...ruled, ...counted]
    const verdict = settle(matched, message, this.#parts.hold)
    const later = message.part === 'middle' || message.part === 'last'
    if (later && masked.some(({ act }) => act !== 'note')) {
      throw new ApplianceError('POLICY_BLOCKED', `${MASKED_WRITE.reason}, in the middle of a message that is on its way already`)
    }
    return verdict
  }

  #maskedWrite(facts: Facts): readonly Matched[] {
    const { maskedWrite, shadow, hold } = this.#parts
    if (maskedWrite === 'allow' || facts['masked_write'] !== true) return NONE
    return [{ ...builtin('policy.masked-write', maskedWrite, shadow, hold), ...MASKED_WRITE }]
  }

  /** What a client asks for. */
  #asking(message: Message, how: 'judge' | 'review'): Verdict {
    const rules = this.#rules.get(message.kind)
    const asks = this.#parts.vocabulary.asking.has(message.kind)
    if (rules === undefined && !asks) return ALLOW
    const common = message.common?.()
    const own = common ?? message.facts()
    const { malformed } = own
    if (typeof malformed === 'string') return { act: 'block', rules: ['policy.malformed'], reason: malformed }
    const settled = common === undefined || message.part !== 'whole' ? undefined : this.#known(message, common, rules, asks)
    const arms = asks && how === 'judge' && message.kind !== 'parse'
    if (settled !== undefined) {
      if (!arms || this.#counters.arm(message, settled.facts, settled.armed)) return settled.verdict
      const matched = this.#matched(settled.facts, rules, asks, message.kind)
      return settle([...matched, tooMany(this.#parts.hold)], message, this.#parts.hold)
    }
    const facts = this.#parts.sql && asks ? this.#names.resolve(own) : own
    const matched = this.#matched(facts, rules, asks, message.kind)
    if (arms && !this.#counters.arm(message, facts, this.#armed(facts, message.kind, matched)))
      matched.push(tooMany(this.#parts.hold))
    if (asks && how === 'judge') {
      this.#learn(facts)
      // What asks may be counted as well: how many files, how many that are removed.
      if (this.#parts.vocabulary.counted.includes(message.kind)) matched.push(...this.#counters.count(message))
    }
    return settle(this.#orDefault([...matched, ...this.#guarded(message.kind, facts, matched)], asks), message, this.#parts.hold)
  }

  /**
   * What follows from these facts alone, worked out once for all messages that share them; undefined where it depends on what
   * the session said before, or changes what comes after.
   */
  #known(message: Message, common: Facts, rules: readonly CompiledRule[] | undefined, asks: boolean): Settled | undefined {
    let kind = this.#settled.get(message.kind)
    if (kind === undefined) {
      kind = new WeakMap()
      this.#settled.set(message.kind, kind)
    }
    const known = kind.get(common)
    if (known !== undefined) return known
    if (common['prepares'] !== undefined || common['executes'] !== undefined || common['sets'] !== undefined) return undefined
    const matched = this.#matched(common, rules, asks, message.kind)
    const armed = asks && message.kind !== 'parse' ? this.#armed(common, message.kind, matched) : NONE_ARMED
    const settled: Settled = { facts: common, verdict: settle(this.#orDefault(matched, asks), message, this.#parts.hold), armed }
    kind.set(common, settled)
    return settled
  }

  #matched(facts: Facts, rules: readonly CompiledRule[] | undefined, asks: boolean, kind: string): Matched[] {
    const { sql, shadow, unparsable, hold } = this.#parts
    const matched: Matched[] = []
    if (asks && (sql ? facts['parse_ok'] !== true : facts['parse_ok'] === false)) {
      const told = sql ? unreadable(facts) : UNREADABLE_COMMAND
      matched.push({ ...builtin('policy.unparsable', unparsable, shadow, hold), ...told })
    }
    if (asks) matched.push(...this.#maskedWrite(facts), ...outOfScope(this.#parts.scope, kind, facts, hold))
    matched.push(...this.#match(rules ?? [], facts, kind))
    return matched
  }

  /** What a rule has to allow is blocked where none does. */
  #guarded(kind: string, facts: Facts, matched: readonly Matched[]): readonly Matched[] {
    const { vocabulary, who, shadow, hold } = this.#parts
    const guard = vocabulary.guard?.(kind, facts, who)
    if (guard === undefined || matched.some(({ act }) => act === 'allow' || act === 'hold')) return NONE
    return [{ ...builtin(guard.id, 'block', shadow, hold), reason: guard.reason, hint: guard.hint }]
  }

  #orDefault(matched: readonly Matched[], asks: boolean): readonly Matched[] {
    const { shadow, otherwise, hold } = this.#parts
    if (!asks || otherwise === 'allow' || matched.some(({ act }) => act !== 'note')) return matched
    return [...matched, { ...builtin('policy.default', otherwise, shadow, hold), reason: 'no rule of the policy allows this' }]
  }

  #match(rules: readonly CompiledRule[], facts: Facts, kind: string): Matched[] {
    const matched: Matched[] = []
    for (const rule of rules) {
      if (this.#counters.asleep.has(rule)) continue
      const fits = asked(rule, facts, this.#around, kind)
      if (fits === 'failed') matched.push(...failed(rule))
      if (fits !== 'yes') continue
      const { shownId: id, hint, hold } = rule
      const unread = rule.unread(facts)
      const reason = unread === undefined ? rule.reason : `${rule.reason} (${unread})`
      matched.push({ id, act: rule.shadow ? 'note' : rule.action, reason, hint, hold })
    }
    return matched
  }

  /** The thresholds that count a statement with these facts; one whose condition cannot be evaluated is among `matched`. */
  #armed(facts: Facts, kind: string, matched: Matched[]): ReadonlySet<CompiledRule> {
    const armed = new Set<CompiledRule>()
    for (const rule of this.#counters.conditional) {
      const fits = asked(rule, facts, this.#around, kind)
      if (fits !== 'no') armed.add(rule)
      if (fits === 'failed') matched.push(...failed(rule))
    }
    return armed
  }

  /** Hours begin and end on full minutes, so that what was settled holds at least until the next; also when the clock is set. */
  #wake(): void {
    const nowMs = this.#parts.now()
    const minute = Math.floor(nowMs / MINUTE_MS)
    if (minute === this.#minute) return
    this.#minute = minute
    const asleep = new Set(this.#timed.filter((rule) => rule.awake?.(nowMs) === false))
    if (asleep.size === this.#counters.asleep.size && [...asleep].every((rule) => this.#counters.asleep.has(rule))) return
    this.#counters.asleep = asleep
    this.#settled = new Map()
  }

  #learn(facts: Facts): void {
    const { sets } = facts
    if (!Array.isArray(sets) || !sets.some((name) => name === 'search_path' || name === '*')) return
    this.#around = { ...this.#around, searchPath: undefined }
    this.#settled = new Map()
  }
}

/** A condition that cannot be evaluated blocks, whatever the rule would do. */
function asked(rule: CompiledRule, facts: Facts, around: Surroundings, kind: string): 'yes' | 'no' | 'failed' {
  try {
    return rule.matches(facts, around, kind) ? 'yes' : 'no'
  } catch {
    return 'failed'
  }
}

function failed({ id, shownId, shadow }: CompiledRule): readonly Matched[] {
  const reason = `the condition of rule ${id} could not be evaluated for this message`
  const match = { act: shadow ? 'note' : 'block', reason, hint: undefined, hold: undefined } as const
  const said = shadow ? 'shadow:policy.evaluation-failed' : 'policy.evaluation-failed'
  return [
    { ...match, id: shownId },
    { ...match, id: said },
  ]
}

/** What the rules say of facts, and which thresholds count the results of a statement with them. */
interface Settled {
  readonly facts: Facts
  readonly verdict: Verdict
  readonly armed: ReadonlySet<CompiledRule>
}

const NONE: readonly Matched[] = []
const NONE_ARMED: ReadonlySet<CompiledRule> = new Set()

const MASKED_WRITE = {
  reason: 'this would write a mask ([MASKED:...]) in the place of the value it stands for',
  hint: 'name only the columns that change, and leave those that were shown masked as they are',
}

const TOO_MANY = 'too many statements wait for their results at once'

function tooMany(hold: Hold): Matched {
  return { ...builtin('policy.too-many-statements', 'block', false, hold), reason: TOO_MANY }
}

function builtin(id: string, action: 'block' | 'hold', shadow: boolean, hold: Hold): Matched {
  return { id: shadow ? `shadow:${id}` : id, act: shadow ? 'note' : action, reason: '', hint: undefined, hold }
}

const UNREADABLE_COMMAND = {
  reason: 'the command cannot be read as a shell would read it',
  hint: 'commands of up to 64 KiB without control characters can be judged; look for a quote that is not closed',
}

function unreadable(facts: Facts): { readonly reason: string; readonly hint: string } {
  const at = facts['parse_error_at']
  if (typeof at === 'number') {
    return {
      reason: `the statement does not parse as PostgreSQL 18 at character ${at}`,
      hint: 'what cannot be read cannot be judged: look for a typing error there',
    }
  }
  return {
    reason: 'the statement cannot be read: too large, too deep, or not known here',
    hint: 'statements of up to 256 KiB can be judged; send larger data with COPY or in several statements',
  }
}
