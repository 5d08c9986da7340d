import type { Hours } from '../../schemas/policy.ts'
import { listOf } from './quantities.ts'

/** Whether an instant (ms since 1970, UTC) lies in a part of the week. The answer changes on full minutes only. */
export type Within = (nowMs: number) => boolean

export const MINUTE_MS = 60_000
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const DAY_MINUTES = 1_440

/** Throws RangeError for a time zone nobody knows. */
export function compileHours({ days, hours, zone = 'UTC' }: Hours): Within {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const minutes = minutesOf(days, hours)
  return (nowMs) => minutes.has(minuteOfWeek(clock, nowMs))
}

/** Minutes of the week, Monday 00:00 being the first, that are inside. */
export function minutesOf(days: Hours['days'], hours: Hours['hours']): ReadonlySet<number> {
  const chosen = days === undefined ? DAYS.map((_, day) => day) : listOf(days).flatMap(daysIn)
  const spans = hours === undefined ? [[0, DAY_MINUTES] as const] : listOf(hours).map(spanOf)
  const minutes = new Set<number>()
  for (const day of chosen) {
    for (const [from, to] of spans) {
      for (let minute = from; minute < to; minute++) minutes.add((day * DAY_MINUTES + minute) % (7 * DAY_MINUTES))
    }
  }
  return minutes
}

/** `fri-mon` goes over the weekend. */
function daysIn(text: string): number[] {
  const [first = 0, last = first] = text.split('-').map((day) => DAYS.indexOf(day))
  return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, index) => (first + index) % 7)
}

function spanOf(text: string): readonly [from: number, to: number] {
  const [from = 0, to = 0] = text.split('-').map((time) => {
    const [hour = 0, minute = 0] = time.split(':').map(Number)
    return hour * 60 + minute
  })
  return [from, to > from ? to : to + DAY_MINUTES]
}

function minuteOfWeek(clock: Intl.DateTimeFormat, nowMs: number): number {
  const parts = new Map(clock.formatToParts(nowMs).map(({ type, value }) => [type, value]))
  const day = DAYS.indexOf((parts.get('weekday') ?? '').toLowerCase())
  return day * DAY_MINUTES + Number(parts.get('hour')) * 60 + Number(parts.get('minute'))
}
