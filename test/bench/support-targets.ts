/** One thing that is promised of a benchmark's result; `less`: smaller is better. */
interface Target {
  readonly what: string
  /** Where it stands: the benchmark's name, then the way through its result. Of several, the worst counts. */
  readonly at: readonly (readonly string[])[]
  readonly unit: string
  readonly floor: number
  readonly goal: number
  readonly less?: true
}

export interface Judged {
  readonly what: string
  /** null: not measured in this run. */
  readonly measured: number | null
  readonly unit: string
  readonly floor: number
  readonly goal: number
  /** Of the floor; 1 and more holds it, whichever way is better. */
  readonly toFloor: number | null
  readonly toGoal: number | null
  readonly verdict: 'goal' | 'floor' | 'missed' | 'not measured'
}

const small = (subject: string, key: string) => [
  ['postgres', 'small', 'prepared c8', subject, key],
  ['postgres', 'small', 'simple c8', subject, key],
]

/** More processes are how a gateway comes to more requests: docs/decisions/0023. */
const http = (size: string) => [1, 32].map((connections) => ['http', `${size} c${connections}`, 'sallyport-workers', 'vsNginx'])

const TARGETS: readonly Target[] = [
  {
    what: 'PostgreSQL, small queries, 8 clients',
    at: small('sallyport', 'vsReference'),
    unit: 'of pgbouncer',
    floor: 0.6,
    goal: 0.8,
  },
  {
    what: 'PostgreSQL, 1 client, added p50',
    at: [['postgres', 'small', 'prepared c1', 'sallyport', 'addedP50us']],
    unit: 'us',
    floor: 75,
    goal: 40,
    less: true,
  },
  { what: 'PostgreSQL, CPU per query', at: small('sallyport', 'cpuUsPerQuery'), unit: 'us', floor: 40, goal: 25, less: true },
  {
    what: 'PostgreSQL, bulk',
    at: ['SELECT 1M rows', 'COPY 1M rows'].map((name) => ['postgres', 'bulk', name, 'sallyport', 'vsReference']),
    unit: 'of pgbouncer',
    floor: 0.75,
    goal: 1,
  },
  {
    what: 'PostgreSQL, p99 beside bulk',
    at: [['postgres', 'besideBulk', 'sallyport', 'p99vsReference']],
    unit: 'of pgbouncer',
    floor: 3,
    goal: 1.5,
    less: true,
  },
  {
    what: 'PostgreSQL, idle session',
    at: [['postgres', 'idleKibPerSession', 'sallyport']],
    unit: 'KiB',
    floor: 32,
    goal: 16,
    less: true,
  },
  {
    what: 'masking, worst hostile',
    at: [['masking', 'worstHostile', 'engineMBps']],
    unit: 'MB/s',
    floor: 25,
    goal: 200,
  },
  {
    what: 'policy, known statement',
    at: [['policy', 'rows', 'facts and verdict, same text', 'us']],
    unit: 'us',
    floor: 3,
    goal: 0.5,
    less: true,
  },
  {
    what: 'policy, new statement',
    at: [['policy', 'rows', 'facts and verdict, new statement', 'us']],
    unit: 'us',
    floor: 60,
    goal: 30,
    less: true,
  },
  {
    what: 'recorder, CPU per frame',
    at: [['tape', 'perFrame', 'small recorded', 'cpuUs']],
    unit: 'us',
    floor: 10,
    goal: 6,
    less: true,
  },
  { what: 'verify', at: [['tape', 'verifiedFramesPerCpuSecond']], unit: 'frames/s', floor: 150_000, goal: 300_000 },
  {
    what: 'opening 1 M frames',
    at: [['tape', 'large', 'open', 'bytes']],
    unit: 'bytes',
    floor: 65_536,
    goal: 65_536,
    less: true,
  },
  {
    what: 'SSH, scp',
    at: ['scp-down', 'scp-up'].map((name) => ['ssh', name, 'mibPerSecond', 'vsDirect']),
    unit: 'of direct',
    floor: 0.45,
    goal: 0.6,
  },
  {
    what: 'SSH, scp',
    at: ['scp-down', 'scp-up'].map((name) => ['ssh', name, 'mibPerSecond', 'vsJump']),
    unit: 'of ProxyJump',
    floor: 1,
    goal: 1.3,
  },
  { what: 'HTTP, 1 KiB JSON, a process a core', at: http('1 KiB'), unit: 'of nginx', floor: 0.35, goal: 0.6 },
  { what: 'HTTP, 1 MiB JSON, a process a core', at: http('1 MiB'), unit: 'of nginx', floor: 0.3, goal: 0.6 },
]

/** Every target of performance, and how far these results hold it. */
export function judged(results: Readonly<Record<string, unknown>>): readonly Judged[] {
  return TARGETS.map(({ what, at, unit, floor, goal, less }) => {
    const found = at.flatMap((path) => numberAt(results, path) ?? [])
    const measured = found.length < at.length ? null : less ? Math.max(...found) : Math.min(...found)
    const to = (target: number): number | null =>
      measured === null ? null : Number((less ? target / Math.max(measured, Number.EPSILON) : measured / target).toPrecision(3))
    const [toFloor, toGoal] = [to(floor), to(goal)]
    const verdict =
      toFloor === null || toGoal === null ? 'not measured' : toGoal >= 1 ? 'goal' : toFloor >= 1 ? 'floor' : 'missed'
    return { what, measured, unit, floor, goal, toFloor, toGoal, verdict }
  })
}

/** The same for people; 1 and more holds. */
export function targetTable(rows: readonly Judged[]): string {
  const cells = [
    ['', 'measured', 'unit', 'floor', 'goal', 'to floor', 'to goal', ''],
    ...rows.map((row) => [
      row.what,
      String(row.measured ?? '-'),
      row.unit,
      String(row.floor),
      String(row.goal),
      String(row.toFloor ?? '-'),
      String(row.toGoal ?? '-'),
      row.verdict,
    ]),
  ]
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? []
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Rows of a list are found by their `subject`. */
function numberAt(value: unknown, path: readonly string[]): number | undefined {
  const found = path.reduce<unknown>((at, name) => {
    if (Array.isArray(at)) return at.find((row: unknown) => isObject(row) && row['subject'] === name)
    return isObject(at) ? at[name] : undefined
  }, value)
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
