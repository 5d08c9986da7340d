import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineRules } from '../../../gateway/policy/inline-findings.ts'

test('stitched rows are counted over an hour, a day and seven days, each with the number of the detector', () => {
  const rules = inlineRules({
    detectors: { 'stitched-rows': { rowsWeek: 700 } },
    inline: { 'stitched-rows': { action: 'block', kinds: ['agent'] } },
  })
  assert.deepEqual(
    rules.map(({ id, action, who, threshold }) => [id, action, who, threshold]),
    [
      ['hour', 5_000, '1h'],
      ['day', 10_000, '24h'],
      ['week', 700, '168h'],
    ].map(([name, rows, window]) => [
      `finding.stitched-rows.${name}`,
      'block',
      { kinds: ['agent'] },
      { rows, per: 'principal', window },
    ]),
  )
})
