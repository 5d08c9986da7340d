import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agoText, counted, countText, dateText, exactTime, sizeText, timeText } from '../../../replay-ui/data/format.ts'

test('numbers are grouped, sizes and times carry their unit', () => {
  assert.equal(countText(1234567), '1,234,567')
  assert.deepEqual([counted(1, 'row'), counted(2, 'row'), counted(2, 'person', 'people')], ['1 row', '2 rows', '2 people'])
  assert.deepEqual([sizeText(5), sizeText(2048), sizeText(50 << 20)], ['5 B', '2.0 KiB', '50 MiB'])
  assert.deepEqual(
    [timeText(1_500), timeText(12_340_000), timeText(245_600_000), timeText(3_723_000_000)],
    ['0.002 s', '12.3 s', '4:05.6', '1:02:03'],
  )
  assert.equal(exactTime(12_345_678), '12.345678')
})

test('evidence is dated in one clock, and what is no date stays as it is', () => {
  assert.equal(dateText('2026-11-20T10:51:50.123Z'), '2026-11-20 10:51:50 UTC')
  assert.equal(dateText('never'), 'never')
  const now = Date.parse('2026-11-20T12:00:00Z')
  assert.deepEqual(
    [agoText('2026-11-20T11:59:48Z', now), agoText('2026-11-20T12:04:00Z', now), agoText('2026-11-17T12:00:00Z', now)],
    ['12 s ago', 'in 4 min', '3 d ago'],
  )
})
