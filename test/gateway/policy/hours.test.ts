import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileHours, minutesOf } from '../../../gateway/policy/hours.ts'

const at = (text: string): number => Date.parse(text)

test('hours are those of a place, summer and winter', () => {
  const office = compileHours({ days: 'mon-fri', hours: '09:00-17:00', zone: 'Europe/Berlin' })
  assert.equal(office(at('2026-01-12T08:00:00Z')), true, 'Monday 09:00 in winter')
  assert.equal(office(at('2026-01-12T07:59:59Z')), false)
  assert.equal(office(at('2026-07-13T07:00:00Z')), true, 'Monday 09:00 in summer')
  assert.equal(office(at('2026-07-13T15:00:00Z')), false, 'Monday 17:00 is over')
  assert.equal(office(at('2026-01-11T12:00:00Z')), false, 'Sunday')
})

test('what goes over midnight belongs to the day it begins', () => {
  const night = compileHours({ days: 'fri', hours: '22:00-06:00' })
  assert.equal(night(at('2026-01-09T22:00:00Z')), true)
  assert.equal(night(at('2026-01-10T05:59:00Z')), true, 'Saturday morning')
  assert.equal(night(at('2026-01-09T05:00:00Z')), false, 'Friday morning was Thursday’s')
  assert.equal(compileHours({ days: 'sun', hours: '23:00-01:00' })(at('2026-01-12T00:30:00Z')), true, 'into Monday')
})

test('days may go over the weekend, and both may be lists', () => {
  assert.equal(minutesOf('sat-sun', undefined).size, 2 * 1_440)
  assert.equal(minutesOf('fri-mon', '00:00-24:00').size, 4 * 1_440)
  assert.equal(minutesOf(['mon', 'wed'], ['08:00-12:00', '13:00-17:00']).size, 2 * 8 * 60)
  assert.equal(minutesOf(undefined, '10:00-10:00').size, 7 * 1_440, 'from ten to ten is the whole day')
})

test('a time zone nobody knows is an error', () => {
  assert.throws(() => compileHours({ days: 'mon', zone: 'Europe/Berlun' }), RangeError)
})
