import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PgServer } from '../support/pg-server.ts'
import { ended, endingOf, freePort, listening } from './support-process.ts'

/** One way to the same database. */
export interface Subject extends AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly database: string
  readonly env: Readonly<Record<string, string>>
  /** The process between client and server; undefined where there is none. */
  readonly pid: number | undefined
  /** How that process ended, where it did; to be told with what failed through it. */
  readonly ending?: () => string | undefined
}

const NOBODY = 65_534

export function direct(server: PgServer): Subject {
  return {
    name: 'direct',
    port: server.port,
    database: 'bench',
    env: { PGUSER: 'bench', PGPASSWORD: 'bench', PGSSLMODE: 'disable' },
    pid: undefined,
    async [Symbol.asyncDispose]() {},
  }
}

/** Session pooling, so that both keep one upstream connection per client. */
export async function pgbouncer(server: PgServer): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'bouncer-'))
  const port = await freePort()
  const config = `[databases]
bench = host=127.0.0.1 port=${server.port} user=bench password=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 900
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
`
  await writeFile(join(folder, 'pgbouncer.ini'), config)
  await chmod(folder, 0o755)
  await chown(folder, NOBODY, NOBODY)
  const root = process.getuid?.() === 0
  const child = spawn('pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], {
    stdio: 'ignore',
    ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
  })
  await listening(port, child, folder)
  return {
    name: 'pgbouncer',
    port,
    database: 'bench',
    env: { PGUSER: 'bench', PGPASSWORD: 'unused', PGSSLMODE: 'disable' },
    pid: child.pid,
    ending: () => endingOf(child),
    [Symbol.asyncDispose]: () => ended(child, folder),
  }
}

/** The gateway as a person would run it, with recording, policy, detectors and column labels on; `changes` switches parts off. */
export async function sallyport(
  server: PgServer,
  changes: {
    readonly name?: string
    readonly durability?: 'process' | 'disk'
    readonly policy?: string
    readonly tls?: boolean
  } = {},
): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const port = await freePort()
  const key = `sp_${randomBytes(32).toString('base64url')}`
  await mkdir(join(folder, 'data'))
  await writeFile(join(folder, 'policy.yaml'), changes.policy ?? POLICY)
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `\
gateway: bench
dataDir: data
policy: policy.yaml
recording: { durability: ${changes.durability ?? 'process'} }
listeners:
  postgres: { address: "127.0.0.1:${port}", tls: { mode: optional } }
targets:
  - name: bench
    protocol: postgres
    host: 127.0.0.1
    port: ${server.port}
    database: bench
    groups: [agents]
    tls: { mode: "off" }
    credential: { user: bench, password: { env: BENCH_PASSWORD } }
identities:
  - subject: bench-agent
    kind: agent
    groups: [agents]
    keys: [{ id: bench, sha256: ${createHash('sha256').update(key).digest('hex')} }]
limits: { sessions: 2000, sessionsPerIdentity: 2000 }
`,
  )
  const main = new URL('../../gateway/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'serve', '--config', join(folder, 'sallyport.yaml')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, BENCH_PASSWORD: 'bench', SALLYPORT_LOG: 'error' },
  })
  await listening(port, child, folder)
  return {
    name: changes.name ?? 'sallyport',
    port,
    database: 'bench',
    env: { PGUSER: 'bench-agent', PGPASSWORD: key, PGSSLMODE: changes.tls === true ? 'require' : 'disable' },
    pid: child.pid,
    ending: () => endingOf(child),
    [Symbol.asyncDispose]: () => ended(child, folder),
  }
}

/** Rules, thresholds, labels and all detectors, none of which fires on the benchmark's own statements. */
export const POLICY = `version: 1
labels:
  pii.email: { columns: ["public.people.email"], entity: email }
  pii.ssn: { columns: ["public.people.ssn"], names: ["*ssn*"], entity: us-ssn }
rules:
  - { id: no-program, on: postgres, match: { copy: { target: [program, file] } }, action: block, reason: "no programs, no files" }
  - { id: no-truncate, on: postgres, match: { verb: TRUNCATE }, action: block, reason: "no truncate" }
  - { id: no-unbounded-delete, on: postgres, match: { verb: [DELETE, UPDATE], has_where: false }, action: block, reason: "name the rows" }
  - { id: too-much, on: postgres, threshold: { rows: 1000000000, per: statement }, action: block, reason: "too many rows" }
`

/** No rules, no labels, and detectors that may find nothing; every byte is still read for what they look for, and recorded. */
export const BARE_POLICY = `version: 1
exempt:
  - { who: { groups: agents }, detectors: "*" }
rules: []
`
