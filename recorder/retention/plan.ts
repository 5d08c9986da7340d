import { type Static, Type } from 'typebox'
import type { RetentionRule } from '../../schemas/config-retention.ts'
import type { Store } from '../store/store.ts'
import { listSessions, type SessionListing } from '../tape/reader.ts'
import type { Hold } from './holds.ts'

const DAY_MS = 86_400_000

const Due = Type.Object(
  { session: Type.String(), target: Type.String(), endedAt: Type.String(), rule: Type.String(), keep: Type.String() },
  { additionalProperties: false },
)
/** A session whose time is over, and the rule that says so. */
export type Due = Static<typeof Due>

/** What somebody asks to delete; by the order of the ids. */
export const RetentionPlan = Type.Object({ v: Type.Literal(1), due: Type.Array(Due) }, { additionalProperties: false })
export type RetentionPlan = Static<typeof RetentionPlan>

/** What the rules say of everything there is. */
export interface Outlook {
  /** May be deleted. */
  readonly due: readonly Due[]
  /** Their time is over, and these holds keep them. */
  readonly held: readonly (Due & { readonly holds: readonly Hold[] })[]
  /** Ended, and kept by a rule, or by none. */
  readonly kept: number
  /** Still being recorded, waiting for recovery, or not readable: nobody can say when they ended. */
  readonly unended: readonly string[]
}

/** Looks at every tape; a session's time is over when it ended longer ago than the longest rule that matches it keeps. */
export async function outlookOf(
  store: Store,
  rules: readonly RetentionRule[],
  holds: readonly Hold[],
  nowMs: number,
): Promise<Outlook> {
  const due: Due[] = []
  const held: (Due & { readonly holds: readonly Hold[] })[] = []
  const unended: string[] = []
  let kept = 0
  for await (const listing of listSessions(store)) {
    const { id, header, state, summary } = listing
    const endedMs = Date.parse(summary?.endedAt ?? '')
    if (header === undefined || state === 'open' || summary === undefined || Number.isNaN(endedMs)) {
      unended.push(id)
      continue
    }
    const rule = ruleOf(header, rules)
    if (rule === undefined || nowMs - endedMs <= daysOf(rule) * DAY_MS) {
      kept += 1
      continue
    }
    const { target } = header.session
    const one = { session: id, target: target.name, endedAt: summary.endedAt, rule: rule.name, keep: rule.keep }
    const own = holds.filter(({ session }) => session === id)
    if (own.length === 0) due.push(one)
    else held.push({ ...one, holds: own })
  }
  return { due, held, kept, unended }
}

function ruleOf({ session }: NonNullable<SessionListing['header']>, rules: readonly RetentionRule[]): RetentionRule | undefined {
  const { name, labels: has } = session.target
  const matching = rules.filter(
    ({ targets = [name], labels = {} }) =>
      targets.includes(name) && Object.entries(labels).every(([label, value]) => has[label] === value),
  )
  return matching.reduce<RetentionRule | undefined>(
    (longest, rule) => (longest === undefined || daysOf(rule) > daysOf(longest) ? rule : longest),
    undefined,
  )
}

function daysOf({ keep }: RetentionRule): number {
  return Number.parseInt(keep, 10)
}
