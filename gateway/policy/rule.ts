import type { Facts } from '../../schemas/frame.ts'
import type { Match, PolicyFile, Rule } from '../../schemas/policy.ts'
import type { Identity, ProtocolName, Target } from '../../schemas/session.ts'
import { compileAsked } from './asked.ts'
import { globs } from './globs.ts'
import { compileHours, type Within } from './hours.ts'
import type { Matches } from './match.ts'
import { durationMs, listOf, sizeBytes } from './quantities.ts'
import type { Limits } from './threshold.ts'
import { VOCABULARIES } from './vocabulary.ts'

export interface Hold {
  readonly groups: readonly string[]
  readonly count: number
  readonly timeoutMs: number
}

/** A rule ready to be asked. */
export interface CompiledRule {
  readonly id: string
  /** `shadow:` in front where it only takes notes. */
  readonly shownId: string
  readonly shadow: boolean
  readonly action: 'block' | 'hold' | 'allow'
  readonly reason: string
  readonly hint: string | undefined
  readonly hold: Hold | undefined
  readonly matches: Matches
  /** Why a message may fit that could not be read for what this rule asks. */
  readonly unread: (facts: Facts) => string | undefined
  /** Whether `matches` asks anything at all of a statement. */
  readonly asksStatement: boolean
  /** When it holds; undefined: always. */
  readonly awake: Within | undefined
  readonly threshold:
    | (Limits &
        ({ readonly per: 'statement' | 'session' } | { readonly per: 'identity' | 'principal'; readonly windowMs: number }))
    | undefined
  /** Kinds of message it judges (or counts). */
  kinds(protocol: ProtocolName): readonly string[]
  applies(identity: Identity, target: Target): boolean
}

/** Agent tools give up waiting after about a minute; a hold has to be over before. */
const DEFAULT_HOLD_MS = 45_000

export function compileRule(rule: Rule, file: PolicyFile): CompiledRule {
  const shadow = rule.mode === 'shadow' || file.mode === 'shadow'
  const { kind: _, ...asked } = rule.match ?? {}
  const on = new Set<ProtocolName>(listOf(rule.on))
  const asking = compileAsked(asked, rule.when, rule.action === 'allow')
  const who = rule.who === undefined ? undefined : compileWho(rule.who)
  const except = rule.except === undefined ? undefined : compileWho(rule.except)
  const where = rule.targets === undefined ? undefined : compileTargets(rule.targets)
  return {
    id: rule.id,
    shownId: shadow ? `shadow:${rule.id}` : rule.id,
    shadow,
    action: rule.action,
    reason: rule.reason ?? `rule ${rule.id} ${rule.action === 'hold' ? 'asks for an approval' : 'does not allow this'}`,
    hint: rule.hint,
    hold: rule.action === 'hold' ? holdOf(rule.approval, file) : undefined,
    matches: asking.fits,
    unread: asking.unread,
    asksStatement: Object.keys(asked).length > 0 || rule.when !== undefined,
    awake: compileAwake(rule),
    threshold: rule.threshold === undefined ? undefined : compileThreshold(rule.threshold),
    kinds: (protocol) => kindsOf(rule, protocol),
    applies: (identity, target) =>
      (on.size === 0 || on.has(target.protocol)) &&
      (who === undefined || who(identity)) &&
      (except === undefined || !except(identity)) &&
      (where === undefined || where(target)),
  }
}

function compileThreshold({
  rows = Number.POSITIVE_INFINITY,
  bytes = Number.POSITIVE_INFINITY,
  distinct = Number.POSITIVE_INFINITY,
  code = Number.POSITIVE_INFINITY,
  per,
  window,
}: NonNullable<Rule['threshold']>): CompiledRule['threshold'] {
  const limits = { rows, bytes: sizeBytes(bytes), distinct, code: sizeBytes(code) }
  return per === 'identity' || per === 'principal' ? { ...limits, per, windowMs: durationMs(window ?? '1h') } : { ...limits, per }
}

function compileAwake({ during, outside }: Pick<Rule, 'during' | 'outside'>): Within | undefined {
  const inside = during === undefined ? undefined : compileHours(during)
  const out = outside === undefined ? undefined : compileHours(outside)
  if (inside === undefined && out === undefined) return undefined
  return (nowMs) => (inside === undefined || inside(nowMs)) && (out === undefined || !out(nowMs))
}

/** The kinds of message a rule is about: those it names, else those that ask (or, with a threshold, what is counted). */
export function kindsOf(
  rule: { readonly match?: Match; readonly threshold?: unknown },
  protocol: ProtocolName,
): readonly string[] {
  const vocabulary = VOCABULARIES[protocol]
  if (rule.match?.kind !== undefined) return listOf(rule.match.kind)
  return rule.threshold === undefined ? [...vocabulary.asking] : (vocabulary.answers ?? [vocabulary.counted[0]])
}

export function holdOf(approval: Rule['approval'], file: PolicyFile): Hold {
  const fallback = file.defaults?.approval
  return {
    groups: listOf(approval?.groups ?? fallback?.groups),
    count: approval?.count ?? fallback?.count ?? 1,
    timeoutMs: duration(approval?.timeout) ?? duration(fallback?.timeout) ?? DEFAULT_HOLD_MS,
  }
}

function duration(text: string | undefined): number | undefined {
  return text === undefined ? undefined : durationMs(text)
}

/** Every field given must hold; of a list, one entry. */
export function compileWho(who: NonNullable<Rule['who']>): (identity: Identity) => boolean {
  const kinds = new Set<string>(listOf(who.kinds))
  const groups = new Set<string>(listOf(who.groups))
  const subject = who.subjects === undefined ? undefined : globs(who.subjects)
  return (identity) =>
    (kinds.size === 0 || kinds.has(identity.kind)) &&
    (groups.size === 0 || identity.groups.some((group) => groups.has(group))) &&
    (subject === undefined || subject(identity.subject))
}

export function compileTargets(targets: NonNullable<Rule['targets']>): (target: Target) => boolean {
  const name = targets.names === undefined ? undefined : globs(targets.names)
  const labels = Object.entries(targets.labels ?? {}).map(([key, values]) => [key, globs(values)] as const)
  return (target) => {
    if (name !== undefined && !name(target.name)) return false
    return labels.every(([key, fits]) => {
      const value = target.labels[key]
      return value !== undefined && fits(value)
    })
  }
}
