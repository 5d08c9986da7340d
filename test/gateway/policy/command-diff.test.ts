import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffPolicies, renderDiff } from '../../../gateway/policy/command-diff.ts'
import { agent, policyOf, production } from '../../support/policy.ts'

const before = policyOf('  - { id: no-ddl, on: postgres, match: { ddl: true }, action: block }')
const after = policyOf(`  - { id: no-ddl, on: postgres, match: { verb: DROP }, action: block }
  - { id: unknown, on: postgres, match: { dynamic: true }, action: block }`)

const asked = (text: string, session = 's1') => ({ session, identity: agent, target: production, atMs: 0, text })

test('only what the two say differently is told, with the rules of both', async () => {
  const report = await diffPolicies({ before, after }, [
    asked('CREATE TABLE t (a int)'),
    asked('DROP TABLE t'),
    asked('SELECT 1'),
  ])
  assert.equal(report.statements, 3)
  assert.deepEqual(
    report.differences.map(({ text, before: was, after: is }) => [text, was.act, was.rules, is.act, is.rules]),
    [['CREATE TABLE t (a int)', 'block', ['no-ddl'], 'allow', []]],
  )
  assert.match(renderDiff(report), /^block -> allow {2}agent-7 on shop: CREATE TABLE t \(a int\)\n/)
  assert.match(renderDiff(report), /1 of 3 statements judged differently$/)
})

test('a session’s statements are judged in their order: what one prepared another may execute', async () => {
  const { differences } = await diffPolicies({ before, after }, [
    asked('PREPARE p AS SELECT 1'),
    asked('EXECUTE p'),
    asked('EXECUTE p', 's2'),
  ])
  assert.deepEqual(
    differences.map(({ session, text }) => [session, text]),
    [['s2', 'EXECUTE p']],
  )
})

test('what is asked again and again is told once, with how often', async () => {
  const report = await diffPolicies(
    { before, after },
    Array.from({ length: 2_500 }, (_, n) =>
      asked(n % 2 === 0 ? 'CREATE TABLE t (a int)' : `CREATE TABLE t${n} (a int)`, `s${n}`),
    ),
  )
  assert.deepEqual([report.statements, report.different, report.differences.length], [2_500, 2_500, 1_000])
  assert.deepEqual([report.differences[0]?.session, report.differences[0]?.count], ['s0', 1_250])
  assert.match(renderDiff(report), /CREATE TABLE t \(a int\) {2}\(1250 times\)\n/)
})
