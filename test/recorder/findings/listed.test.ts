import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Database, openDatabase } from '../../../recorder/catalog/database.ts'
import { DAILY_FROM_PULLS, DAILY_GROUPS } from '../../../recorder/catalog/rollups.ts'
import { KeySketch } from '../../../recorder/catalog/sketch.ts'
import { listFindings } from '../../../recorder/findings/finding-rows.ts'
import { findWeek, scanWeek, weekOf } from '../../../recorder/findings/scan.ts'
import { type SaidOf, writeSession } from '../../support/catalog-session.ts'

/** A Wednesday. */
const NOW_MS = Date.UTC(2026, 10, 18, 12)
const MINUTE_MS = 60_000

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-findings-'))
  database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
})
beforeEach(async () => {
  await database.exec(
    'truncate catalog.sessions, catalog.statements, catalog.pulls, catalog.daily, catalog.daily_keys, catalog.first_seen, catalog.findings, catalog.scans',
  )
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const session = (...said: SaidOf): Promise<string> => writeSession(database, ...said)

test('what is open and severe is listed first, page by page', async () => {
  await session(NOW_MS, [{ text: 'COPY orders TO STDOUT', rows: 9, objects: ['orders'] }])
  await session(NOW_MS - 60 * MINUTE_MS, [{ rows: 400_000, objects: ['customers'] }])
  await session(NOW_MS - 120 * MINUTE_MS, [{ rows: 400_000, objects: ['customers'] }])
  const tables = [{ target: 'shop', table: 'customers', sensitive: true }]
  const detectors = { 'first-access': false, 'bulk-verbs': { rows: 1 } } as const
  const findings = await scanWeek(database, weekOf(NOW_MS), { tables, detectors })
  const judged = findings.find(({ to }) => to === new Date(NOW_MS - 60 * MINUTE_MS).toISOString())
  assert.ok(judged !== undefined)
  await database.query(
    `insert into desk.dispositions (finding, state, by, reason, at) values ($1, 'benign', 'grace', 'x', now())`,
    [judged.id],
  )
  const listed: string[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page = await listFindings(database, { limit: 1, ...(cursor === '' ? {} : { cursor }) }, null)
    listed.push(...page.findings.map(({ state, severity, to }) => `${state} ${severity} ${to.slice(11, 16)}`))
    cursor = page.next ?? undefined
  }
  assert.deepEqual(listed, ['open high 10:00', 'open low 12:00', 'benign high 11:00'])
})

test('S2: there are no more different rows than rows, and each piece of evidence has its own time', async () => {
  const sketch = new KeySketch()
  for (let key = 0; key < 5_000; key += 1) sketch.add('of this test', String(key))
  const ids: string[] = []
  for (let part = 0; part < 4; part += 1)
    ids.push(await session(NOW_MS + part * MINUTE_MS + 41_000, [{ rows: 1_000, objects: ['customers'] }]))
  await database.query(`insert into catalog.daily_keys values ($1, 'ada', 'shop', 'customers', 'id', $2)`, [
    new Date(NOW_MS),
    sketch.pack(),
  ])
  assert.ok(sketch.estimate > 4_000)
  const tables = [{ target: 'shop', table: 'customers', rows: 6_000 }]
  await database.exec(`truncate catalog.daily; ${DAILY_FROM_PULLS} ${DAILY_GROUPS}`)
  const finding = (await findWeek(database, weekOf(NOW_MS), { tables })).find(({ detector }) => detector === 'stitched-keys')
  assert.ok(finding !== undefined)
  assert.equal(finding.coverage?.keys, 4_000)
  assert.match(finding.summary, /^about 4,000 different rows of customers, 66.7 % of its 6,000, .* \(4,000 rows in all\)$/)
  assert.deepEqual(
    finding.contributions.map(({ session: id, at }) => [id, at.slice(11, 19)]),
    ids.map((id, part) => [id, `12:0${part}:41`]),
  )
  assert.deepEqual([finding.from.slice(11, 19), finding.to.slice(11, 19)], ['12:00:41', '12:03:41'])
})
