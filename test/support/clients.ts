import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { TestContext } from 'node:test'
import type { RunningGateway } from './gateway.ts'

/** A client that hangs must not outlive its test. */
const CLIENT_TIMEOUT_MS = 90_000

/** Every client of the end-to-end tests, and how it is found on this machine. */
const FINDERS = {
  psql: () => programs('psql'),
  pgbench: () => programs('pgbench', '/usr/lib/postgresql/15/bin/pgbench', '/usr/bin/pgbench'),
  pg_dump: () => programs('pg_dump'),
  python3: () => programs('python3', '/usr/bin/python3'),
  curl: () => programs('curl'),
  git: () => programs('git'),
  openssl: () => programs('openssl'),
  // Debian's module belongs to Debian's Python, whichever other comes first on the PATH.
  psycopg2: () => programs('/usr/bin/python3', 'python3').find((python) => imports(python, 'psycopg2')),
  psycopg: () =>
    programs('.sallyport/ci-python/bin/python3', 'python3', '/usr/bin/python3').find((python) => imports(python, 'psycopg')),
  ssh: () => programs('ssh'),
  sshd: () => programs('/usr/sbin/sshd'),
  ansible: () => programs('ansible'),
  sshfs: () => programs('sshfs'),
  'ssh-agent': () => programs('ssh-agent'),
  scp: () => programs('scp'),
  sftp: () => programs('sftp'),
  rsync: () => programs('rsync'),
  requests: () => programs('/usr/bin/python3', 'python3').find((python) => imports(python, 'requests')),
  paramiko: () => programs('/usr/bin/python3', 'python3').find((python) => imports(python, 'paramiko')),
  // The schemas of OCSF, and a validator.
  ocsf: () => programs('.sallyport/ci-python/bin/python3', 'python3').find((python) => imports(python, 'ocsf_json_schema')),
  duckdb: () => programs('.sallyport/ci-python/bin/python3', 'python3').find((python) => imports(python, 'duckdb')),
  // The models of NIST's OSCAL.
  oscal: () => programs('.sallyport/ci-python/bin/python3', 'python3').find((python) => imports(python, 'oscal_bindings')),
  pdftotext: () => programs('pdftotext'),
  tshark: () => programs('tshark'),
  asciinema: () => programs('.sallyport/ci-python/bin/asciinema', 'asciinema'),
  java: () => (existsSync(JDBC_JAR) ? programs('java') : undefined),
} as const satisfies Record<string, () => string | readonly string[] | undefined>

export const JDBC_JAR = '/usr/share/java/postgresql.jar'
export type ClientName = keyof typeof FINDERS
const found = new Map<ClientName, string | undefined>()

/**
 * The client's program. Where this machine has none, that is said loudly and the answer is undefined: the test then ends,
 * and fails where SALLYPORT_REQUIRE_CLIENTS=1 promises that every client is here.
 */
export function clientHere(t: TestContext, name: ClientName): string | undefined {
  if (!found.has(name)) found.set(name, [FINDERS[name]()].flat()[0])
  const program = found.get(name)
  if (program === undefined) missing(t, `the client ${name} is not on this machine`)
  return program
}

/** Says that the test could not run here; fails it where it must. */
export function missing(t: TestContext, what: string): void {
  const message = `NOT RUN: ${t.name}: ${what} (.ci/run installs it)`
  t.diagnostic(message)
  process.stderr.write(`${message}\n`)
  assert.notEqual(process.env['SALLYPORT_REQUIRE_CLIENTS'], '1', message)
}

function programs(...names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (name.includes('/')) return existsSync(name) ? [name] : []
    const which = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
    return which.status === 0 ? [which.stdout.trim()] : []
  })
}

function imports(python: string, module: string): boolean {
  return spawnSync(python, ['-c', `import ${module}`]).status === 0
}

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
}

/** A client under way, its words collected. */
export class Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  stdout = ''
  stderr = ''
  readonly #heard = new Set<() => void>()

  constructor(program: string, args: readonly string[], options: RunOptions = {}) {
    // Nothing of the tester's own settings: a ~/.pgpass or PGHOST would decide for the test.
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')))
    this.child = spawn(program, args, {
      env: {
        ...own,
        LC_ALL: 'C.UTF-8',
        TERM: 'xterm',
        PGCONNECT_TIMEOUT: '20',
        PSQLRC: '/dev/null',
        PSQL_PAGER: '',
        ...options.env,
      },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#stir()
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#stir()
    })
    this.child.stdin?.on('error', () => undefined)
    if (options.input !== undefined) this.child.stdin?.end(options.input)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), CLIENT_TIMEOUT_MS)
    this.ended = once(this.child, 'close').then(([code]) => {
      clearTimeout(timer)
      this.#stir()
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr } // by the contract of 'close'
    })
  }

  /** Resolves with the match once what it printed fits; rejects when it ends first. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) return match
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`it never said ${pattern}:\n${this.stdout}\n${this.stderr}`)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#heard.delete(wake)
          resolve()
        }
        this.#heard.add(wake)
      })
    }
  }

  type(text: string): void {
    this.child.stdin?.write(text)
  }

  #stir(): void {
    for (const wake of this.#heard) wake()
  }
}

export function run(program: string, args: readonly string[], options?: RunOptions): Promise<Ran> {
  return new Running(program, args, { input: '', ...options }).ended
}

export function assertRan(ran: Ran, what: string): void {
  assert.equal(ran.code, 0, `${what} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}`)
}

/** What libpq takes from the environment to reach a target through the gateway, or through a tee before it. */
export function libpqEnv(
  gateway: RunningGateway,
  options: { readonly port?: number; readonly database: string; readonly as?: 'agent' | 'human'; readonly sslmode?: string },
): Record<string, string> {
  const as = options.as ?? 'agent'
  return {
    PGHOST: '127.0.0.1',
    PGPORT: String(options.port ?? gateway.port),
    PGUSER: as,
    PGDATABASE: options.database,
    PGPASSWORD: gateway.folder.keys[as],
    PGSSLMODE: options.sslmode ?? 'disable',
    PGSSLROOTCERT: gateway.caFile,
  }
}
