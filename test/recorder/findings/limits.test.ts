import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Queries } from '../../../recorder/catalog/database.ts'
import { denyVariant } from '../../../recorder/findings/denied.ts'
import type { Detector } from '../../../recorder/findings/detector.ts'
import { egressAfterPull } from '../../../recorder/findings/egress.ts'
import { sortedInTurns } from '../../../recorder/findings/in-turns.ts'
import { paginationWalk } from '../../../recorder/findings/pages.ts'
import type { StatementRow } from '../../../recorder/findings/statements.ts'
import { DETECTORS } from '../../../schemas/findings.ts'

const MONDAY_MS = Date.UTC(2026, 10, 16)
const WINDOW = { from: new Date(MONDAY_MS), to: new Date(MONDAY_MS + 604_800_000) }
const SESSION = '20261116T090000Z-gw1-00000001'

function row(frame: number, ms: number, part: Partial<StatementRow> = {}): StatementRow {
  return {
    session: SESSION,
    frame,
    last_frame: frame,
    text: 'SELECT 1',
    rows: 600,
    bytes_out: 100,
    masked: 0,
    outcome: 'complete',
    objects: ['orders'],
    verbs: ['SELECT'],
    fingerprint: 'f',
    family: 'ada',
    target: 'shop',
    protocol: 'postgres',
    at: new Date(MONDAY_MS + ms),
    ...part,
  }
}

/** A catalog of one session; its statements by what the question has in it. */
function catalogOf(rowsFor: (sql: string) => readonly StatementRow[], asked: (sql: string) => void = () => undefined): Queries {
  const answer = (sql: string, values: readonly unknown[]): readonly unknown[] => {
    if (sql.startsWith('select id, statements')) return sql.includes('started_at >= $4') ? [{ id: SESSION, statements: 1 }] : []
    if (sql.startsWith('select frame')) {
      const frame = Number(values[1]) + 1 + Number(values[2])
      return frame < rowsFor(sql).length ? [{ frame }] : []
    }
    asked(sql)
    const [after, end] = values.slice(-2).map((value) => value as number | null)
    return rowsFor(sql).filter(({ frame }) => frame > (after ?? -1) && (end === null || end === undefined || frame <= end))
  }
  return {
    query: async (sql: string, values: unknown[] = []) => ({ rows: answer(sql, values) }) as never,
    exec: async () => undefined,
  }
}

const run = (detector: Detector, name: keyof typeof DETECTORS, queries: Queries): ReturnType<Detector> =>
  detector(queries, WINDOW, { params: DETECTORS[name].params, config: {}, earlier: new Map() })

test('a session of more kinds of statements than are followed is a finding, with how many were not', async () => {
  const kinds = Array.from({ length: 200_010 }, (_, n) => row(n, n, { fingerprint: `f${n}` }))
  const drafts = await run(
    paginationWalk,
    'pagination-walk',
    catalogOf(() => kinds),
  )
  assert.deepEqual(
    drafts.map(({ object, value, unit, contributions }) => [object, value, unit, contributions.map(({ frame }) => frame)]),
    [[SESSION, 200_001, 'kinds', [0]]],
  )
  assert.match(drafts[0]?.summary ?? '', /^more than 200,000 kinds .* 200,001 that had come once were not followed/)
  assert.deepEqual(
    await run(
      paginationWalk,
      'pagination-walk',
      catalogOf(() => kinds.slice(0, 1_000)),
    ),
    [],
  )
})

test('of refusals within a second the last counts too: what follows it within the time is found', async () => {
  const refused = [0, 300, 900].map((ms, at) => row(at, ms, { outcome: 'refused', rows: 0 }))
  const through = row(10, 600_500)
  const queries = catalogOf((sql) =>
    sql.includes("'refused'") ? refused : sql.includes('= any($3)') ? [...refused, through] : [through],
  )
  const drafts = await run(denyVariant, 'deny-variant', queries)
  assert.deepEqual(
    drafts.map(({ contributions }) => contributions.map(({ frame }) => frame)),
    [[2, 10]],
  )
})

test('what was taken in a week is put in order while others have their turn', async () => {
  const pulls = Array.from({ length: 60_000 }, (_, n) => row(n, (n * 7_919) % 1_000_000))
  const send = row(70_000, 1_000_001, { session: '20261116T093000Z-gw1-00000002', protocol: 'ssh', text: 'scp x y:' })
  let [turns, since, done] = [0, 0, false]
  const queries = catalogOf(
    (sql) => (sql.includes('r.rows >= $3') ? pulls : sql.startsWith('select frame') ? pulls : [send]),
    () => (since = turns),
  )
  const work = run(egressAfterPull, 'egress-after-pull', queries).finally(() => (done = true))
  for (; !done; turns += 1) await setImmediate()
  const [draft] = await work
  assert.deepEqual([draft?.value, draft?.contributions.length, draft?.rest?.count], [36_000_000, 200, 59_801])
  const times = draft?.contributions.map(({ at }) => at) ?? []
  assert.deepEqual(times, times.toSorted())
  assert.ok(turns - since > 100, `${turns - since} turns since the last question`)
})

test('in turns as at once: least first, those of one number in the order they were in', async () => {
  for (const count of [0, 1, 1_999, 2_000, 9_001]) {
    const all = Array.from({ length: count }, (_, n) => ({ n, by: (n * 31) % 97 }))
    assert.deepEqual(
      await sortedInTurns(all, ({ by }) => by),
      all.toSorted((a, b) => a.by - b.by),
    )
  }
})
