import type { Target } from '../../schemas/session.ts'
import { packUse, rulesOf } from './packs/index.ts'
import type { Policy } from './policy.ts'
import { compileTargets, compileWho } from './rule.ts'

/** What is no mistake, but seldom meant. */
export interface Remark {
  /** The rule it is about; '' for the policy as a whole. */
  readonly rule: string
  readonly remark: string
}

/** What a policy that can be enforced should be asked about. `targets`: those there are, where that is known. */
export function lintPolicy({ content }: Policy, targets?: readonly Target[]): readonly Remark[] {
  const placed = rulesOf(content)
  const own = new Set((content.rules ?? []).map(({ id }) => id))
  const tested = new Set(
    (content.tests ?? []).flatMap(({ expect }) => expect.rules ?? []).map((id) => id.replace(/^shadow:/, '')),
  )
  const remarks: Remark[] = []
  const say = (rule: string, remark: string): void => {
    remarks.push({ rule, remark })
  }
  for (const { rule } of placed) {
    if (own.has(rule.id) && !tested.has(rule.id)) say(rule.id, 'no test expects it')
    if (rule.mode === 'shadow' && content.mode !== 'shadow') say(rule.id, 'is in shadow: it stops nothing')
    if (rule.action === 'allow' && (content.defaults?.action ?? 'allow') === 'allow')
      say(rule.id, 'allows what is allowed anyway: it only takes a note')
    if (targets !== undefined && rule.targets !== undefined && !targets.some(compileTargets(rule.targets)))
      say(rule.id, 'is for targets none of which is configured')
  }
  if (content.mode === 'shadow') say('', 'the whole policy is in shadow: it stops nothing')
  const agents = { subject: '', kind: 'agent', groups: [], proof: '' } as const
  const counted = placed.some(
    ({ rule }) =>
      rule.threshold !== undefined && rule.mode !== 'shadow' && (rule.who === undefined || compileWho(rule.who)(agents)),
  )
  if (!counted) say('', 'no threshold is for every agent: one may read whole tables (pack bulk-read)')
  const packs = new Set((content.packs ?? []).map((use) => packUse(use).pack))
  if (!packs.has('exfiltration') && !placed.some(({ rule }) => rule.match?.copy !== undefined))
    say('', 'nothing stops COPY with programs and files of the server (pack exfiltration)')
  if (Object.keys(content.labels ?? {}).length === 0)
    say('', 'no column is labelled: only what the detectors recognise is masked')
  return remarks
}
