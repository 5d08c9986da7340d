import type { Identity, Target } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { OwnBudgets } from './budgets.ts'
import type { Judge } from './judge.ts'
import type { Policy } from './policy.ts'
import { askingMessage } from './trial.ts'

/** A statement somebody asked, or might ask. */
export interface Asked {
  /** Statements of one session are judged in their order, by one judge. */
  readonly session: string
  readonly identity: Identity
  readonly target: Target
  readonly atMs: number
  readonly text: string
}

export interface Difference {
  /** The first in which it was asked. */
  readonly session: string
  /** How often the same was asked, by the same, of the same target, and judged so. */
  count: number
  readonly subject: string
  readonly target: string
  readonly text: string
  readonly before: Said
  readonly after: Said
}

interface Said {
  readonly act: Verdict['act']
  readonly rules: readonly string[]
}

/** Different ones kept; of those beyond only their number is. */
const MAX_KEPT = 1_000

export interface DiffReport {
  readonly statements: number
  /** Of them, those judged differently. */
  readonly different: number
  /** At most 1,000, each once. */
  readonly differences: readonly Difference[]
}

interface Side {
  readonly policy: Policy
  readonly judge: Judge
}

/** What two policies say of the same statements, where they differ. Results are not there, so thresholds say nothing. */
export async function diffPolicies(
  policies: { readonly before: Policy; readonly after: Policy },
  asked: AsyncIterable<Asked> | Iterable<Asked>,
): Promise<DiffReport> {
  const differences = new Map<string, Difference>()
  let statements = 0
  let different = 0
  let session: string | undefined
  let nowMs = 0
  let sides: { readonly before: Side; readonly after: Side } | undefined
  const sideOf = (policy: Policy, { identity, target }: Asked): Side => ({
    policy,
    judge: policy.judge(identity, target, { now: () => nowMs, budgets: new OwnBudgets(() => nowMs) }),
  })
  for await (const one of asked) {
    statements++
    nowMs = one.atMs
    if (sides === undefined || one.session !== session) {
      session = one.session
      sides = { before: sideOf(policies.before, one), after: sideOf(policies.after, one) }
    }
    const before = ask(sides.before, one)
    const after = ask(sides.after, one)
    if (before.act === after.act && before.rules.join() === after.rules.join()) continue
    different++
    const { identity, target, text } = one
    const key = JSON.stringify([identity.subject, target.name, text, before, after])
    const known = differences.get(key)
    if (known !== undefined) known.count++
    else if (differences.size < MAX_KEPT)
      differences.set(key, { session, count: 1, subject: identity.subject, target: target.name, text, before, after })
  }
  return { statements, different, differences: [...differences.values()] }
}

function ask({ policy, judge }: Side, { identity, target, text }: Asked): Said {
  const places = { labels: policy.columns(identity), searchPath: policy.searchPath }
  const { act, rules } = judge.judge(askingMessage(target.protocol, text, places))
  return { act, rules }
}

/** The report for people; texts are somebody else's, so whoever shows this makes them safe. */
export function renderDiff({ statements, different, differences }: DiffReport): string {
  const lines = differences.flatMap(({ subject, target, text, before, after, count }) => [
    `${before.act} -> ${after.act}  ${subject} on ${target}: ${text.replaceAll(/\s+/g, ' ').trim()}${count > 1 ? `  (${count} times)` : ''}`,
    `    before  ${before.rules.join(', ') || 'no rule'}`,
    `    after   ${after.rules.join(', ') || 'no rule'}`,
  ])
  return [...lines, `${different} of ${statements} statements judged differently`].join('\n')
}
