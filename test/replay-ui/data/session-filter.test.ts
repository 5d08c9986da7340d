import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSessionFilter } from '../../../replay-ui/data/session-filter.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12)

test('a filter becomes the question the API takes', () => {
  assert.deepEqual(
    parseSessionFilter('identity:agent-* target:orders-db rows>10000 verdict:block state:live since:24h "drop table"', NOW_MS),
    {
      ok: true,
      query: {
        identity: 'agent-*',
        target: 'orders-db',
        minRows: 10_001,
        verdict: 'block',
        state: 'live',
        since: '2026-11-19T12:00:00.000Z',
        text: 'drop table',
      },
    },
  )
  assert.deepEqual(parseSessionFilter('until:2026-11-01 protocol:postgres', NOW_MS), {
    ok: true,
    query: { until: '2026-11-01T00:00:00.000Z', protocol: 'postgres' },
  })
})

test('what is none says what there is', () => {
  for (const source of [
    'colour:red',
    'state:gone',
    'verdict:maybe',
    'protocol:smtp',
    'rows>x',
    'since:yesterday',
    'identity:',
    'text:one text:two',
    'text:one words',
    'identity:a* identity:*b',
  ]) {
    const parsed = parseSessionFilter(source, NOW_MS)
    assert.ok(!parsed.ok && parsed.what !== '', source)
  }
})
