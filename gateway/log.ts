import { type Logger, pino } from 'pino'
import { codeOf } from '../recorder/files.ts'
import type { RecoveryReport } from '../recorder/index.ts'
import { DeliveryError } from '../recorder/notify/post.ts'
import { ApplianceError, type ErrorCode } from '../schemas/errors.ts'
import type { SessionId } from '../schemas/session.ts'
import type { Health } from './monitoring/health.ts'
import type { Counted, Metrics } from './monitoring/metrics.ts'

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
type Level = (typeof LEVELS)[number]

/**
 * What may be known of an error without its text: messages of databases, parsers and sockets can quote traffic.
 * Our own errors are told by code; others by class, system code and the place in our sources.
 */
interface ErrorFacts {
  readonly error: string
  readonly code?: string
  /** What the system said, where an error of ours has such a cause. */
  readonly system?: string
  readonly at?: string
  /** What to do, where it is the machine's. */
  readonly cure?: string
}

const FULL = 'the disk is full: make room in the file system of dataDir, never inside the spool'
const FILES = 'too many files and connections are open: raise the limit of the process (ulimit -n, LimitNOFILE)'
const RIGHTS = "a file may not be used: dataDir and all in it has to be the gateway's user's, and writable"

/** By what the system says of files. */
const CURES: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EMFILE: FILES,
  ENFILE: FILES,
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EROFS: RIGHTS,
  EIO: 'the disk fails: look at it, and at the log of the kernel',
}

/** What hears of events beside the log. */
interface Listeners {
  readonly metrics?: Pick<Metrics, 'count'>
  readonly health?: Pick<Health, 'failed' | 'worked'>
}

/**
 * The gateway's log: one line of JSON per event on stderr, one function per event, ids and numbers only, never payloads. What is counted and
 * what says whether the process is well are these events.
 */
export class Log {
  readonly #logger: Logger
  readonly #metrics: Listeners['metrics']
  readonly #health: Listeners['health']

  constructor(logger: Logger, { metrics, health }: Listeners = {}) {
    this.#logger = logger
    this.#metrics = metrics
    this.#health = health
  }

  #count(name: Counted, labels?: Readonly<Record<string, string>>, by?: number): void {
    this.#metrics?.count(name, labels, by)
  }

  started(facts: {
    readonly gateway: string
    readonly policy: string
    readonly targets: number
    readonly workers: number
  }): void {
    this.#logger.info(facts, 'gateway started')
  }

  policyActivated(policy: string): void {
    this.#count('policies_activated')
    this.#logger.info({ policy }, 'another policy is in force')
  }

  warned(warning: string): void {
    this.#logger.warn({ warning }, 'configuration warning')
  }

  recovered({ sessions, problems, foreign = [] }: RecoveryReport): void {
    this.#count('tapes_recovered', {}, sessions.filter(({ outcome }) => outcome !== 'already').length)
    this.#count('spools_kept', {}, problems.length)
    for (const { id, outcome, frames, recovered, discardedBytes } of sessions) {
      if (outcome !== 'already')
        this.#logger.warn({ session: id, outcome, frames, recovered, discardedBytes }, 'tape of a process that died is ended')
    }
    // The recorder's own words: files, ids and sizes; it knows no traffic.
    for (const problem of problems) this.#logger.error(problem, 'a spool could not be recovered; it is kept')
    for (const name of foreign) this.#logger.warn({ name }, 'among the spools stands what is none; it is left alone')
  }

  listening(facts: { readonly protocol: string; readonly address: string; readonly port: number; readonly tls: string }): void {
    this.#logger.info(facts, 'listening')
  }

  /** A connection that never became a session. */
  turnedAway(client: string, code: string): void {
    this.#count('connections_turned_away', { code })
    this.#logger.warn({ client, code }, 'connection turned away')
  }

  /** More connections than an address may open; `tell`: beside being counted. */
  tooMany(client: string, tell: boolean): void {
    this.#count('connections_turned_away', { code: 'LIMIT_REACHED' })
    if (tell) this.#logger.warn({ client, code: 'LIMIT_REACHED' }, 'too many connections from one address are closed at once')
  }

  /** A request on no tape: `why` is ours or a parser's word. That a proof is missing is how clients of HTTP ask what is wanted; `tell`: beside being counted. */
  requestRefused(
    facts: { readonly client: string; readonly protocol: string; readonly code: ErrorCode; readonly why: string },
    tell: boolean,
  ): void {
    this.#count('requests_refused', { code: facts.code })
    if (tell && facts.code !== 'AUTH_REQUIRED') this.#logger.warn(facts, 'request refused before it belonged to a session')
  }

  denied(client: string, why: string): void {
    this.#count('proofs_denied')
    this.#logger.warn({ client, why }, 'proof denied')
  }

  targetDenied(facts: { readonly subject: string; readonly client: string; readonly known: boolean }): void {
    this.#count('targets_denied')
    this.#logger.warn(facts, 'target denied')
  }

  opened(facts: {
    readonly session: SessionId
    readonly subject: string
    readonly target: string
    readonly client: string
    readonly proof: string
  }): void {
    this.#health?.worked()
    this.#count('sessions_opened', { target: facts.target })
    this.#logger.info(facts, 'session opened')
  }

  /** Its tape could not be begun, so nothing of it was let through; the client is told the same. */
  notOpened(facts: { readonly subject: string; readonly target: string; readonly client: string }, error: unknown): void {
    this.#health?.failed()
    this.#count('sessions_not_opened', { target: facts.target })
    this.#logger.error({ ...facts, ...errorFacts(error) }, 'session not opened: it cannot be recorded')
  }

  sealed(facts: { readonly session: SessionId; readonly frames: number; readonly seconds: number }): void {
    this.#count('sessions_sealed')
    this.#logger.info(facts, 'session sealed')
  }

  recordingFailed(session: SessionId, error: unknown): void {
    this.#health?.failed()
    this.#count('recordings_failed')
    this.#logger.error({ session, ...errorFacts(error) }, 'recording failed; the session is ended')
  }

  /** Labels are looked up in what was read before; what is not found there, and everything once that is too old, is masked. */
  catalogFailed(target: string, error: unknown, facts: { readonly failures: number; readonly ageMs: number }): void {
    this.#logger.warn({ target, ...facts, ...errorFacts(error) }, "the target's columns cannot be read anew")
  }

  /** The cause is what a file, a vault or an identity endpoint said; it comes from our own configuration, never from traffic. */
  credentialFailed(target: string, error: unknown): void {
    this.#count('credentials_failed', { target })
    const cause = error instanceof Error && error.cause instanceof ApplianceError ? { why: error.cause.message } : {}
    this.#logger.error({ target, ...errorFacts(error), ...cause }, 'the credential of the target cannot be read')
  }

  /** What a channel answered; never its address, which may be a secret, nor what was to be told. */
  notToldYet(facts: { readonly channel: string; readonly news: string; readonly final: boolean }, error: unknown): void {
    const why = error instanceof DeliveryError ? { why: error.message } : errorFacts(error)
    this.#logger.warn({ ...facts, ...why }, facts.final ? 'a channel was not told of a request' : 'a channel is told again later')
  }

  /** Never an address; it is sent again until it is taken. */
  siemFailed(facts: { readonly sink: string; readonly lagSeconds: number; readonly retryMs: number }, error: unknown): void {
    this.#count('siem_deliveries_failed', { sink: facts.sink })
    const why = error instanceof DeliveryError ? { why: error.message } : errorFacts(error)
    this.#logger.warn(
      { ...facts, lagSeconds: Math.round(facts.lagSeconds), ...why },
      'a SIEM was not told yet; it is tried again',
    )
  }

  /** The receiver took a batch and threw some of it away; its protocol forbids to send that again. */
  siemRejected(sink: string, count: number): void {
    this.#count('siem_entries_rejected', { sink }, count)
    this.#logger.error({ sink, count }, 'a SIEM has thrown away entries that it was told')
  }

  /** Of all that share a desk this one tells the others' news (`notify`) or entries (`siem`) as well, or does no more. */
  leads(role: string, leads: boolean): void {
    this.#logger.info({ role }, leads ? 'this gateway does it for all' : 'this gateway does it no more')
  }

  tracesFailed(error: unknown, retryMs: number): void {
    this.#logger.warn({ ...errorFacts(error), retryMs }, 'the collector of traces took none; they are sent again')
  }

  tracesTold(count: number): void {
    this.#count('trace_spans_told', {}, count)
  }

  tracesLost(count: number): void {
    this.#count('trace_spans_lost', {}, count)
  }

  copied(session: string, bytes: number): void {
    this.#count('copies_made')
    this.#logger.info({ session, bytes }, 'copied to the evidence container')
  }

  /** Its tape stays where it was recorded, and is tried again. Messages of the store name objects, never what is in them. */
  copyFailed(session: string | undefined, error: unknown): void {
    this.#count('copies_failed')
    const why = error instanceof ApplianceError ? { why: error.message } : {}
    this.#logger.warn({ session, ...errorFacts(error), ...why }, 'a tape could not be copied to the evidence container')
  }

  /** A bug of ours, or of a library, that ended one connection and no other. */
  connectionFailed(client: string, error: unknown): void {
    this.#count('connections_failed')
    this.#logger.error({ client, ...errorFacts(error) }, 'connection failed unexpectedly')
  }

  /** More of them came from there, or from everywhere, than are asked for at once. */
  cancelDropped(client: string): void {
    this.#logger.warn({ client }, 'too many cancels for sessions elsewhere; this one was not asked for')
  }

  /** What nobody waits for: of the machine, or of what gateways share (in our own words, which name no traffic); anything else is a bug. */
  stray(error: unknown): void {
    const facts = errorFacts(error)
    const why = error instanceof ApplianceError && error.code.startsWith('STORE_') ? { why: error.message } : {}
    if (facts.cure !== undefined || 'why' in why) {
      this.#logger.error({ ...facts, ...why }, 'a file or database of the gateway could not be used')
      return
    }
    this.#count('unexpected_errors')
    this.#logger.error(facts, 'unexpected error outside any connection')
  }

  console(facts: { readonly url: string; readonly pages: boolean }): void {
    this.#logger.info(facts, 'console is served')
  }

  /** Sessions are served without it. Our own words name files and addresses of the configuration, never what is in them. */
  notOpenYet(what: 'console' | 'notifier', error: unknown, retryMs: number): void {
    const why = error instanceof ApplianceError ? { why: error.message } : {}
    this.#logger.error(
      { what, retryMs, ...errorFacts(error), ...why },
      'it could not be opened; sessions are served, and it is tried again',
    )
  }

  /** The catalog's own words: files and kinds of errors; it tells no traffic. */
  catalogProblem(problem: string): void {
    this.#logger.error({ problem }, 'catalog')
  }

  /** Tiles or checkpoints could not be made; entries are not touched by that, and it is tried again. */
  ledgerProblem(error: unknown): void {
    this.#count('ledger_problems')
    this.#logger.error(errorFacts(error), 'ledger: it could not be read, or a checkpoint not be published')
  }

  unattested(name: string, error: unknown): void {
    this.#count('ledger_problems')
    this.#logger.warn({ attester: name, ...errorFacts(error) }, 'ledger: a checkpoint was not attested; it is tried again')
  }

  /** Where numbers are to be had. */
  monitoring(port: number): void {
    this.#logger.info({ port }, 'monitoring is served')
  }

  draining(why: string, sessions: number, ms: number): void {
    this.#logger.info({ signal: why, sessions, ms }, 'draining: no new connections, open sessions may end by themselves')
  }

  stopping(signal: string, sessions: number): void {
    this.#logger.info({ signal, sessions }, 'stopping: no new connections, open sessions are ended and sealed')
  }

  stopped(clean: boolean): void {
    if (clean) this.#logger.info('stopped')
    else this.#logger.error('stopped with sessions unsealed; they are sealed as recovered at the next start')
  }

  workerStarted(worker: number, pid: number): void {
    this.#logger.info({ worker, pid }, 'worker started')
  }

  workerDied(facts: {
    readonly worker: number
    readonly code: number | null
    readonly signal: string | null
    readonly backOffMs: number
  }): void {
    this.#count('workers_died')
    this.#logger.error(facts, 'worker died; it is started again')
  }

  workerLost(facts: { readonly worker: number; readonly code: number | null; readonly signal: string | null }): void {
    this.#logger.error(facts, 'worker did not stop in order; what it left unsealed is sealed as recovered at the next start')
  }
}

/** `SALLYPORT_LOG` sets the level; anything else than a level counts as info. `worker` marks the lines of one process of several. */
export function openLog(env: NodeJS.ProcessEnv, worker?: number, listeners?: Listeners): Log {
  const level: Level = LEVELS.find((each) => each === env['SALLYPORT_LOG']) ?? 'info'
  // Synchronous: the last lines before a crash are the ones that matter, and there are few lines.
  const destination = pino.destination({ dest: 2, sync: true })
  return new Log(pino({ level, base: worker === undefined ? {} : { worker } }, destination), listeners)
}

/** A log that keeps nothing, for tests and for commands that serve nobody. */
export function silentLog(): Log {
  return new Log(pino({ level: 'silent' }))
}

function errorFacts(error: unknown): ErrorFacts {
  if (!(error instanceof Error)) return { error: typeof error }
  const code = 'code' in error ? { code: String(error.code) } : {}
  const place = error.stack?.split('\n').find((line) => /^\s+at .*\/(gateway|recorder|schemas)\//.test(line))
  const at = /\/((?:gateway|recorder|schemas)\/[^\s)]+)/.exec(place ?? '')?.[1]
  const said = codeOf(error)
  const system = said === undefined || said === code.code ? {} : { system: said }
  const cure = cureOf(error)
  return { error: error.name, ...code, ...system, ...(at === undefined ? {} : { at }), ...(cure === undefined ? {} : { cure }) }
}

/** Sockets meet EACCES as well, and watching a folder ENOSPC, which is no full disk. */
function cureOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (!('syscall' in error && 'code' in error)) return cureOf(error.cause)
  const cure = CURES[String(error.code)]
  return error.syscall === 'watch' || (cure === RIGHTS && !('path' in error)) ? undefined : cure
}
