import type { ProtocolName, Target } from '../../schemas/session.ts'
import { patternRule } from '../masking/own.ts'
import { explainMasking } from './command-mask.ts'
import { PACKS, packUse, rulesOf } from './packs/index.ts'
import type { Policy } from './policy.ts'
import { compileTargets, compileWho } from './rule.ts'

/** What is no mistake, but seldom meant. */
export interface Remark {
  /** The rule it is about; '' for the policy as a whole. */
  readonly rule: string
  readonly remark: string
}

/** What stands in any log, table and source: a pattern that fits some of it masks what nobody meant. */
const EVERYDAY_TEXTS = [
  '2026-01-07 22:30:15.123456+01 2026-01-07T22:30:15Z 07/01/2026 20260107 1767821415 1767821415123 22:30:15',
  '0f4c1d3e-9a7b-4c2d-8e1f-5a6b7c8d9e0f 5f2c8e4b9a1d3c7e6f0b2a4d8c1e9f7a3b5d6c8e 7f3a91c204be 00000001 12345678 123456789',
  'version 10.2.137 build 20431 127.0.0.1:5432 fe80::1 error: connection to server at localhost failed',
  'GET /api/v1/orders/123456?page=12 HTTP/1.1 200 5316 Mozilla/5.0 (X11; Linux x86_64) application/json',
  'SELECT customer_id, created_at FROM public.orders WHERE status = 1 ORDER BY total_amount DESC LIMIT 100',
  'public static void main(String[] args) { return MAX_BUFFER_SIZE * UTF_8; } 1,234,567.89 99.95 EUR 100%',
]

/** What a policy that can be enforced should be asked about. `targets`: those there are, where that is known. */
export function lintPolicy(policy: Policy, targets?: readonly Target[]): readonly Remark[] {
  const { content } = policy
  const placed = rulesOf(content)
  const own = new Set((content.rules ?? []).map(({ id }) => id))
  const tested = new Set(
    (content.tests ?? []).flatMap(({ expect }) => expect.rules ?? []).map((id) => id.replace(/^shadow:/, '')),
  )
  const agents = { subject: '', kind: 'agent', groups: [], proof: '' } as const
  // What a pack only takes notes of is no surprise.
  const meantForShadow = new Set(
    Object.values(PACKS).flatMap(({ rules }) => rules.flatMap(({ id, mode }) => (mode === 'shadow' ? [id] : []))),
  )
  const remarks: Remark[] = []
  const say = (rule: string, remark: string): void => {
    remarks.push({ rule, remark })
  }
  for (const { rule } of placed) {
    if (own.has(rule.id) && !tested.has(rule.id)) say(rule.id, 'no test expects it')
    if (rule.mode === 'shadow' && content.mode !== 'shadow' && !meantForShadow.has(rule.id))
      say(rule.id, 'is in shadow: it stops nothing')
    if (rule.action === 'allow' && (content.defaults?.action ?? 'allow') === 'allow')
      say(rule.id, 'allows what is allowed anyway: it only takes a note')
    if (targets !== undefined && rule.targets !== undefined && !targets.some(compileTargets(rule.targets)))
      say(rule.id, 'is for targets none of which is configured')
  }
  const expected = new Set((content.tests ?? []).flatMap(({ expect }) => expect.masks ?? []))
  const found = new Set(EVERYDAY_TEXTS.flatMap((text) => explainMasking(policy, agents, text).map(({ rule }) => rule)))
  for (const pattern of content.patterns ?? []) {
    const rule = patternRule(pattern.id)
    if (!expected.has(rule)) say(rule, 'no test expects it')
    if (found.has(rule))
      say(rule, 'fits everyday numbers or words (dates, times, versions, identifiers): give `context` or a `validator`')
  }
  if (content.mode === 'shadow') say('', 'the whole policy is in shadow: it stops nothing')
  const counted = placed.some(
    ({ rule }) =>
      rule.threshold !== undefined && rule.mode !== 'shadow' && (rule.who === undefined || compileWho(rule.who)(agents)),
  )
  const some = (...protocols: readonly ProtocolName[]): boolean =>
    targets === undefined || targets.some(({ protocol }) => protocols.includes(protocol))
  if (!counted && some('postgres')) say('', 'no threshold is for every agent: one may read whole tables (pack bulk-read)')
  const packs = new Set((content.packs ?? []).map((use) => packUse(use).pack))
  if (some('postgres') && !packs.has('exfiltration') && !placed.some(({ rule }) => rule.match?.copy !== undefined))
    say('', 'nothing stops COPY with programs and files of the server (pack exfiltration)')
  // Labels by `names` hold for keys of JSON as for columns.
  if (some('postgres', 'http', 'kubernetes') && Object.keys(content.labels ?? {}).length === 0)
    say('', 'no column is labelled: only what the detectors recognise is masked')
  return remarks
}
