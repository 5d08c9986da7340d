import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { DETECTOR_NAMES, DETECTORS, type DetectorName, type Finding, type FindingsConfig } from '../../schemas/findings.ts'
import type { Database, Queries } from '../catalog/database.ts'
import { sqlJson } from '../catalog/text.ts'
import { DAY_MS, type Draft } from './detector.ts'
import { LOOKS_AT, RUNS } from './detectors.ts'
import { type Weighed, weighed } from './weigh.ts'

/** Findings that are weighed in one go. */
const TURN = 500
const WEEK_MS = 7 * DAY_MS
/** 1970 began on a Thursday. */
const MONDAY_MS = 4 * DAY_MS

/**
 * One more where a detector finds other things in the same rows: every week is looked through again. A detector's own version is part of its findings'
 * ids: another one would part them from what people made of them.
 */
const SCAN_VERSION = 2

/** Start of the week (Monday, UTC) a moment is in. */
export function weekOf(atMs: number): number {
  return Math.floor((atMs - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS
}

/** What a week is looked through by; another one makes old answers void. */
export function settingsHash(config: FindingsConfig): string {
  const versions = DETECTOR_NAMES.map((name) => [name, DETECTORS[name].version, paramsOf(config, name)])
  return createHash('sha256')
    .update(JSON.stringify([SCAN_VERSION, versions, config]))
    .digest('hex')
}

function paramsOf({ detectors = {} }: FindingsConfig, name: DetectorName): Finding['params'] | undefined {
  const own = detectors[name]
  return own === false ? undefined : { ...DETECTORS[name].params, ...own }
}

/**
 * Everything the detectors find in one week, or one of them does. Deterministic: the same rows give the same findings. Others have their turn
 * in between.
 */
export async function findWeek(
  queries: Queries,
  weekMs: number,
  config: FindingsConfig,
  only?: DetectorName,
): Promise<readonly Weighed[]> {
  const week = new Date(weekMs)
  const window = { from: week, to: new Date(weekMs + WEEK_MS) }
  const earlier = new Map<DetectorName, readonly Draft[]>()
  const found = new Map<string, Weighed>()
  for (const name of DETECTOR_NAMES) {
    const params = paramsOf(config, name)
    if (params === undefined || !(only === undefined || name === only || LOOKS_AT[only]?.includes(name))) continue
    await setImmediate()
    const drafts = await RUNS[name](queries, window, { params, config, earlier })
    earlier.set(name, drafts)
    if (only !== undefined && name !== only) continue
    for (const [index, draft] of drafts.entries()) {
      if (index % TURN === TURN - 1) await setImmediate()
      const finding = weighed(name, draft, params, week, config)
      // The larger of two that are one.
      if ((found.get(finding.id)?.score ?? -1) < finding.score) found.set(finding.id, finding)
    }
  }
  return [...found.values()]
}

/** Looks through a week anew, and keeps what it finds in the place of what was found there before. */
export async function scanWeek(database: Database, weekMs: number, config: FindingsConfig): Promise<readonly Weighed[]> {
  const found = await findWeek(database, weekMs, config)
  const week = new Date(weekMs)
  await database.transaction(async (each) => {
    await each.query('delete from catalog.findings where week = $1', [week])
    // One that began in another week and goes on in this one is of the newer.
    await each.query(
      `insert into catalog.findings (id, week, detector, severity, target, targets, at, sessions, detail)
       select id, $2, detector, severity, target, targets, at, sessions, detail
       from jsonb_to_recordset($1::jsonb) as one (id text, detector text, severity text, target text, targets text[], at timestamptz, sessions text[], detail jsonb)
       on conflict (id) do update set week = excluded.week, severity = excluded.severity, targets = excluded.targets, at = excluded.at, sessions = excluded.sessions, detail = excluded.detail`,
      [
        sqlJson(
          found.map(({ sessionIds, ...detail }) => ({
            id: detail.id,
            detector: detail.detector,
            severity: detail.severity,
            target: detail.target,
            targets: detail.targets,
            at: detail.to,
            sessions: sessionIds,
            detail,
          })),
        ),
        week,
      ],
    )
    await each.query('insert into catalog.scans values ($1, $2) on conflict (week) do update set settings = excluded.settings', [
      week,
      settingsHash(config),
    ])
  })
  return found
}

/** Weeks with sessions that were never looked through by these settings, newest first. */
export async function unscannedWeeks(queries: Queries, config: FindingsConfig): Promise<readonly number[]> {
  const { rows } = await queries.query<{ week: Date }>(
    `select distinct date_trunc('week', started_at, 'UTC') as week from catalog.sessions
     except select week from catalog.scans where settings = $1 order by week desc`,
    [settingsHash(config)],
  )
  return rows.map(({ week }) => week.getTime())
}
