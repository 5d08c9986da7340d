import type { Identity, Target } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { Budgets } from './budgets.ts'
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
  readonly session: string
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

export interface DiffReport {
  readonly statements: number
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
  const differences: Difference[] = []
  let statements = 0
  let session: string | undefined
  let nowMs = 0
  let sides: { readonly before: Side; readonly after: Side } | undefined
  const sideOf = (policy: Policy, { identity, target }: Asked): Side => ({
    policy,
    judge: policy.judge(identity, target, { now: () => nowMs, budgets: new Budgets() }),
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
    differences.push({ session, subject: one.identity.subject, target: one.target.name, text: one.text, before, after })
  }
  return { statements, differences }
}

function ask({ policy, judge }: Side, { identity, target, text }: Asked): Said {
  const places = { labels: policy.columns(identity), searchPath: policy.searchPath }
  const { act, rules } = judge.judge(askingMessage(target.protocol, text, places))
  return { act, rules }
}

/** The report for people; texts are somebody else's, so whoever shows this makes them safe. */
export function renderDiff({ statements, differences }: DiffReport): string {
  const lines = differences.flatMap(({ subject, target, text, before, after }) => [
    `${before.act} -> ${after.act}  ${subject} on ${target}: ${text.replaceAll(/\s+/g, ' ').trim()}`,
    `    before  ${before.rules.join(', ') || 'no rule'}`,
    `    after   ${after.rules.join(', ') || 'no rule'}`,
  ])
  return [...lines, `${differences.length} of ${statements} statements judged differently`].join('\n')
}
