import type { PolicyTried } from '../../schemas/api.ts'
import type { Facts } from '../../schemas/frame.ts'
import type { Identity, Target } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { OwnBudgets } from './budgets.ts'
import type { Policy } from './policy.ts'
import { askingMessage } from './trial.ts'

/** What the policy says of one command, and what it saw in it. */
export interface Explanation {
  readonly command: string
  readonly identity: { readonly subject: string; readonly kind: string; readonly groups: readonly string[] }
  readonly target: { readonly name: string; readonly protocol: string; readonly labels: Readonly<Record<string, string>> }
  /** When it would be sent. */
  readonly at: string
  readonly facts: Facts
  readonly verdict: Verdict
  /** First 12 hex digits of the policy's hash. */
  readonly policy: string
}

/** Judges a command as the first of a session of this identity, at `atMs` since 1970. Nothing is sent anywhere. */
export function explainStatement(
  policy: Policy,
  { identity, target, atMs }: { readonly identity: Identity; readonly target: Target; readonly atMs: number },
  command: string,
): Explanation {
  const message = askingMessage(target.protocol, command, { labels: policy.columns(identity), searchPath: policy.searchPath })
  const verdict = policy.judge(identity, target, { now: () => atMs, budgets: new OwnBudgets(() => atMs) }).judge(message)
  const { subject, kind, groups } = identity
  return {
    command,
    identity: { subject, kind, groups },
    target: { name: target.name, protocol: target.protocol, labels: target.labels },
    at: new Date(atMs).toISOString(),
    facts: message.facts(),
    verdict,
    policy: policy.hash.slice(0, 12),
  }
}

/** The explanation as the API tells it. */
export function triedOf({ identity, target, facts, verdict, policy }: Explanation): PolicyTried {
  return {
    policy,
    subject: identity.subject,
    target: target.name,
    act: verdict.act,
    rules: [...verdict.rules],
    reason: 'reason' in verdict ? verdict.reason : null,
    hint: 'hint' in verdict ? (verdict.hint ?? null) : null,
    facts: Object.entries(facts).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  }
}

/** The explanation for people. */
export function renderExplanation({ identity, target, at, facts, verdict, policy }: Explanation): string {
  const groups = identity.groups.length === 0 ? '' : ` in ${identity.groups.join(', ')}`
  const lines = [
    `${verdict.act}${verdict.rules.length === 0 ? ': no rule matches' : `: ${verdict.rules.join(', ')}`}`,
    ...('reason' in verdict ? [`  reason   ${verdict.reason}`] : []),
    ...('hint' in verdict && verdict.hint !== undefined ? [`  hint     ${verdict.hint}`] : []),
    ...(verdict.act === 'hold'
      ? [
          `  approval ${verdict.approvers.count} of ${verdict.approvers.groups.join(', ') || 'nobody'}, waits ${verdict.timeoutMs / 1000} s`,
        ]
      : []),
    `  as       ${identity.subject} (${identity.kind}${groups}) on ${target.name} at ${at}, policy ${policy}`,
    'facts',
    ...Object.entries(facts).map(
      ([name, value]) => `  ${name.padEnd(20)} ${Array.isArray(value) ? value.join(', ') : String(value)}`,
    ),
  ]
  return lines.join('\n')
}
