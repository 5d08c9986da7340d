import type { PolicyTest } from '../../schemas/policy.ts'
import type { Identity, ProtocolName, Target } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { OwnBudgets } from './budgets.ts'
import { explainMasking } from './command-mask.ts'
import type { Policy } from './policy.ts'
import { listOf } from './quantities.ts'
import { askingMessage, replyMessage } from './trial.ts'

export interface TestResult {
  readonly name: string
  /** The statement, or the text. */
  readonly tried: string
  readonly ok: boolean
  readonly expected: PolicyTest['expect']
  readonly got: {
    readonly action?: string
    readonly rules?: readonly string[]
    readonly keep?: number
    readonly masks?: readonly string[]
  }
  /** What differs, in words; '' where nothing does. */
  readonly why: string
}

export interface TestReport {
  readonly ok: boolean
  readonly passed: number
  readonly failed: number
  readonly results: readonly TestResult[]
  /** The report for people. */
  readonly text: string
}

/** When tests that do not say take place: the same every day they are run. */
const SOME_WEDNESDAY = '2026-01-07T12:00:00Z'

/** What a test asks is the field of, and the protocol it is asked by. */
const ASKED = [
  ['sql', 'postgres'],
  ['ssh', 'ssh'],
  ['http', 'http'],
  ['egress', 'egress'],
  ['kubernetes', 'kubernetes'],
] as const satisfies readonly (readonly [keyof PolicyTest, ProtocolName])[]

/** Runs the tests inside a policy file; each statement of a test in a session of its own. Commands of shells need loadShell before. */
export function testPolicy(policy: Policy): TestReport {
  const results = policy.tests.flatMap((test, index) => {
    const name = test.name ?? `test ${index + 1}`
    return [
      ...ASKED.flatMap(([field, protocol]) => listOf(test[field]).map((asked) => runTest(policy, test, [protocol, asked], name))),
      ...listOf(test.text).map((text) => runMaskTest(policy, test, text, name)),
    ]
  })
  const failed = results.filter(({ ok }) => !ok)
  const lines = failed.map(({ name, tried, why }) => `not ok  ${name}\n        ${tried}\n        ${why}`)
  const texts = policy.tests.some(({ text }) => text !== undefined)
  const what =
    policy.tests.every(({ text }) => text !== undefined) && texts ? 'texts' : texts ? 'statements and texts' : 'statements'
  const summary = `${results.length - failed.length} of ${results.length} ${what} judged as expected`
  return {
    ok: failed.length === 0,
    passed: results.length - failed.length,
    failed: failed.length,
    results,
    text: [...lines, summary].join('\n'),
  }
}

function runTest(
  policy: Policy,
  test: PolicyTest,
  [protocol, text]: readonly [protocol: ProtocolName, text: string],
  name: string,
): TestResult {
  const identity = testIdentity(test)
  const at = Date.parse(test.at ?? SOME_WEDNESDAY)
  const judge = policy.judge(identity, testTarget(test, protocol), { now: () => at, budgets: new OwnBudgets(() => at) })
  const places = { labels: policy.columns(identity), searchPath: policy.searchPath }
  const asked = judge.judge(askingMessage(protocol, text, places))
  const passes = asked.act === 'allow' || asked.act === 'mask'
  const { reply } = test
  const verdict = passes && reply !== undefined ? judge.judge(replyMessage(protocol, reply.rows ?? 1, reply.bytes ?? 0)) : asked
  const why = differences(test.expect, verdict)
  const got = {
    action: verdict.act,
    rules: verdict.rules,
    ...('keep' in verdict && verdict.keep !== undefined ? { keep: verdict.keep } : {}),
  }
  return { name, tried: text, ok: why === '', expected: test.expect, got, why }
}

/** The whole list is expected: what else is masked is as much of a surprise as what is not. */
function runMaskTest(policy: Policy, test: PolicyTest, text: string, name: string): TestResult {
  const found = explainMasking(policy, testIdentity(test), text, test.column)
  const masks = [...new Set(found.map(({ rule }) => rule))]
  const expected = test.expect.masks ?? []
  const missing = expected.filter((rule) => !masks.includes(rule))
  const more = masks.filter((rule) => !expected.includes(rule))
  const why = [
    ...(missing.length === 0 ? [] : [`not masked by ${missing.join(', ')}`]),
    ...(more.length === 0 ? [] : [`masked by ${more.join(', ')}`]),
  ].join('; ')
  return { name, tried: text, ok: why === '', expected: test.expect, got: { masks }, why }
}

function differences(expected: PolicyTest['expect'], verdict: Verdict): string {
  const found: string[] = []
  if (verdict.act !== expected.action) {
    found.push(
      `expected ${expected.action}, got ${verdict.act}${verdict.rules.length === 0 ? '' : ` by ${verdict.rules.join(', ')}`}`,
    )
  }
  // An empty list means: none may match. Others may match beside those that are named.
  const missing = (expected.rules ?? []).filter((id) => !verdict.rules.includes(id))
  if (missing.length > 0) found.push(`did not match: ${missing.join(', ')}`)
  if (expected.rules?.length === 0 && verdict.rules.length > 0)
    found.push(`should match no rule, matched ${verdict.rules.join(', ')}`)
  const keep = 'keep' in verdict ? verdict.keep : undefined
  if (expected.keep !== undefined && keep !== expected.keep)
    found.push(`expected to keep ${expected.keep}, kept ${keep ?? 'everything'}`)
  return found.join('; ')
}

function testIdentity({ as = { kind: 'agent' } }: PolicyTest): Identity {
  return { subject: as.subject ?? `test-${as.kind}`, kind: as.kind, groups: as.groups ?? [], proof: 'test' }
}

function testTarget({ on }: PolicyTest, protocol: ProtocolName): Target {
  return { name: on?.name ?? 'test', protocol, host: 'localhost', port: 5432, labels: on?.labels ?? {} }
}
