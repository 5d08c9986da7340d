import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { lifeOf, OWN_MARK, parseMark } from '../../recorder/process-mark.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { steadyPort } from './free-port.ts'
import { homeFor, postgresFor, type RunAs, runAs } from './sample-binaries.ts'
import { REFILL_SQL, SEED_SQL } from './sample-seed.ts'

/** A first start runs initdb on a slow disk in 10 s; recovery after a kill takes less. */
const MAX_START_MS = 60_000
/** A fast shutdown rolls back and checkpoints; longer than this and the server is told to drop everything. */
const MAX_STOP_MS = 15_000
/** How much of what the server said last is told when it does not start. */
const MAX_SAID_CHARS = 2_000

export const SAMPLE_DATABASE = 'shop'
/** Whom the gateway logs in as. May do to rows what it likes and run programs on the server: only the policy stands before that. */
export const SAMPLE_ROLE = 'sallyport'

/** The running sample target. Disposing it stops the server; its rows stay for the next start. */
export interface SampleTarget extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Written last when the target is made: as long as it is missing, nothing else there counts. */
  readonly passwordFile: string
  /** Folders outside the one asked for that hold its files; empty but for root in a private folder. */
  readonly elsewhere: readonly string[]
}

/**
 * Starts the PostgreSQL that npm brought, as an unprivileged user, on a port of the loopback; makes and seeds the cluster
 * under `folder` the first time. Rejects TARGET_UNREACHABLE with the server's own words when it will not start.
 */
export async function startSampleTarget(folder: string, progress: (line: string) => void): Promise<SampleTarget> {
  const user = runAs()
  const native = postgresFor(user)
  const home = homeFor(folder, user)
  const data = join(home, 'data')
  const passwordFile = join(home, 'password')
  const owner = join(home, 'owner')
  checkOwner(owner)
  await stopOrphan(data)
  writeFileSync(owner, JSON.stringify(OWN_MARK))
  // Anything less than seeded is an earlier start cut short: begin again.
  if (!existsSync(passwordFile)) {
    rmSync(data, { recursive: true, force: true })
    progress('making a PostgreSQL 18 cluster for the sample target (once) ...')
    await initialise(native, home, data, user)
  }
  const port = await steadyPort(join(home, 'port'))
  const server = await start(native, data, port, user)
  try {
    if (!existsSync(passwordFile)) {
      progress('seeding customers and orders (once) ...')
      await seed(home, port, passwordFile)
    }
    await withClient(superuser(home, port, SAMPLE_DATABASE), async (client) => void (await client.query(REFILL_SQL)))
  } catch (error) {
    await stop(server)
    throw error
  }
  return {
    host: '127.0.0.1',
    port,
    database: SAMPLE_DATABASE,
    user: SAMPLE_ROLE,
    passwordFile,
    elsewhere: home === folder ? [] : [home],
    [Symbol.asyncDispose]: async () => {
      await stop(server)
      rmSync(owner, { force: true })
    },
  }
}

async function initialise(native: string, home: string, data: string, user: RunAs | undefined): Promise<void> {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const passwordFile = join(home, 'superuser')
  writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 })
  if (user !== undefined) for (const path of [data, passwordFile]) chownSync(path, user.uid, user.gid)
  const args = ['--pgdata', data, '--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8']
  const child = launch(join(native, 'bin/initdb'), [...args, '--locale=C', '--no-sync', '--no-instructions'], user)
  const said = listen(child)
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new ApplianceError('TARGET_UNREACHABLE', `initdb of the sample target failed (exit ${code}): ${said()}`)
}

async function start(native: string, data: string, port: number, user: RunAs | undefined): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // A sample needs no replicas; without their log, seeding is twice as fast.
    wal_level: 'minimal',
    max_wal_senders: '0',
    shared_buffers: '64MB',
    max_connections: '60',
    lc_messages: 'C',
    timezone: 'UTC',
    log_timezone: 'UTC',
  }
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const child = launch(join(native, 'bin/postgres'), args, user)
  const said = listen(child)
  let deadline: NodeJS.Timeout | undefined
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new ApplianceError('TARGET_UNREACHABLE', `the sample target ${why}: ${said()}`))
    child.once('error', (error) => fail(`could not be run (${error.message})`))
    child.once('exit', (code) => fail(`ended while starting (exit ${code})`))
    deadline = setTimeout(() => {
      child.kill('SIGQUIT')
      fail(`was not ready within ${MAX_START_MS / 1000} s`)
    }, MAX_START_MS)
    child.stderr?.on('data', () => {
      if (said().includes('ready to accept connections')) resolve()
    })
  }).finally(() => clearTimeout(deadline))
  return child
}

async function seed(home: string, port: number, passwordFile: string): Promise<void> {
  const password = randomBytes(24).toString('base64url')
  await withClient(superuser(home, port, 'postgres'), async (client) => {
    await client.query(`CREATE DATABASE ${SAMPLE_DATABASE}`)
    await client.query(`CREATE ROLE ${SAMPLE_ROLE} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
    await client.query(`GRANT pg_execute_server_program, pg_read_server_files, pg_write_server_files TO ${SAMPLE_ROLE}`)
  })
  await withClient(superuser(home, port, SAMPLE_DATABASE), async (client) => {
    await client.query(SEED_SQL)
    await client.query(
      `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${SAMPLE_ROLE}; GRANT USAGE, CREATE ON SCHEMA public TO ${SAMPLE_ROLE}`,
    )
  })
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
}

function superuser(home: string, port: number, database: string): pg.ClientConfig {
  return { host: '127.0.0.1', port, user: 'postgres', database, password: readFileSync(join(home, 'superuser'), 'utf8').trim() }
}

async function withClient(config: pg.ClientConfig, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(config)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

/** In a session of its own, so that a Ctrl-C in the terminal reaches us alone and the server outlives its clients. */
function launch(command: string, args: readonly string[], user: RunAs | undefined): ChildProcess {
  return spawn(command, args, {
    ...(user ?? {}),
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
  })
}

/** Keeps the end of what the server says, for the error that explains why it did not start. */
function listen(child: ChildProcess): () => string {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-MAX_SAID_CHARS)
  })
  return () => said.trim()
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  server.kill('SIGINT') // PostgreSQL's "fast shutdown": sessions are ended, the cluster left clean
  const late = setTimeout(() => server.kill('SIGQUIT'), MAX_STOP_MS)
  await ended
  clearTimeout(late)
}

/** Two demos on one cluster would end each other's server. */
function checkOwner(owner: string): void {
  const mark = existsSync(owner) ? parseMark(readFileSync(owner, 'utf8')) : undefined
  if (mark === undefined || mark.pid === process.pid || lifeOf(mark) !== 'alive') return
  throw new ApplianceError(
    'TARGET_UNREACHABLE',
    `process ${mark.pid} runs this sample target already; stop it first (Ctrl-C there)`,
  )
}

/** A server that outlived a killed demo still holds the cluster: end it. Also drops a lock file whose process is somebody else's. */
async function stopOrphan(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid')
  if (!existsSync(lock)) return
  const pid = Number(readFileSync(lock, 'utf8').split('\n', 1)[0])
  if (isServerOf(pid, data)) {
    process.kill(pid, 'SIGINT')
    for (let waitedMs = 0; isServerOf(pid, data); waitedMs += 50) {
      if (waitedMs > MAX_STOP_MS)
        throw new ApplianceError('TARGET_UNREACHABLE', `an earlier sample server (process ${pid}) does not end`)
      await delay(50)
    }
  }
  // The number may be another process's by now, which PostgreSQL takes for a running server. Only where /proc told us better.
  if (existsSync('/proc/self/cmdline')) rmSync(lock, { force: true })
}

/** Whether the process is a PostgreSQL on this very cluster. Where the system does not tell (no /proc), PostgreSQL's own check decides. */
function isServerOf(pid: number, data: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words.includes(data) && words.some((word) => word.endsWith('postgres'))
  } catch {
    return false
  }
}
