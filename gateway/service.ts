import { readFile } from 'node:fs/promises'
import { BudgetBank } from '../recorder/desk/budget-bank.ts'
import type { Desk } from '../recorder/desk/desk.ts'
import type { ProtocolName } from '../schemas/session.ts'
import { AccessWatch } from './access-watch.ts'
import { BusyPoll } from './busy-poll.ts'
import type { ListenerSettings, Settings } from './config.ts'
import { knownGroups, warningsOf } from './config-check.ts'
import { ListenerContext } from './credentials/listener-context.ts'
import { readCredential } from './credentials/upstream.ts'
import { AccessKeys } from './identity/access-keys.ts'
import { BlockedSubjects } from './identity/blocked.ts'
import { Denials } from './identity/denials.ts'
import { Doorkeeper } from './identity/doorkeeper.ts'
import { JwtProver } from './identity/jwt.ts'
import { ProofWatch } from './identity/proof-watch.ts'
import { killed } from './killing.ts'
import { Listener } from './listener.ts'
import type { Log } from './log.ts'
import type { Health } from './monitoring/health.ts'
import type { Metrics } from './monitoring/metrics.ts'
import { openTraces } from './monitoring/traces.ts'
import { Traffic } from './monitoring/traffic.ts'
import { openFilesWarning } from './open-files.ts'
import { OrphanWatch } from './orphan-watch.ts'
import { placesIn } from './places.ts'
import { compilePolicy, type Policy } from './policy/policy.ts'
import { ReservedBudgets } from './policy/reserved-budgets.ts'
import { PolicyKeeper } from './policy-keeper.ts'
import type { Protocol } from './protocol.ts'
import { GatewaySessions } from './sessions.ts'
import { Cancels, type ForwardCancel } from './sessions-cancel.ts'
import { openShared, type Shared } from './shared.ts'
import { openTapeRoom, type TapeRoom } from './tape-room.ts'
import { Unproved } from './unproved.ts'

/** Loaded for the listeners there are: each brings its grammar and codecs along. */
const PROTOCOLS: Readonly<Record<ProtocolName, (listener: ListenerSettings, own: Own) => Promise<Protocol>>> = {
  echo: async () => (await import('./protocols/echo/index.ts')).echo,
  egress: async (settings, own) => {
    const { doorOf, egress } = await import('./protocols/egress/index.ts')
    return egress(await doorOf(settings, own))
  },
  http: async () => (await import('./protocols/http/index.ts')).http,
  kubernetes: async () => (await import('./protocols/kubernetes/index.ts')).kubernetes(),
  postgres: async () => (await import('./protocols/postgres/index.ts')).postgres,
  ssh: async ({ ssh: settings }, own) => {
    const { doorOf, ssh } = await import('./protocols/ssh/index.ts')
    return ssh(await doorOf(settings, own))
  },
}

/** Where a listener's own keys are kept, and whose they are. */
interface Own {
  readonly keysDir: string
  readonly gateway: string
}

/** After the sockets were destroyed nothing waits for peers any more, only for our own disk. */
const SEAL_GRACE_MS = 5_000

export interface ServiceOptions {
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** 0: the only process. */
  readonly worker?: number
  /** Delivers cancel keys of other workers. */
  readonly forwardCancel?: ForwardCancel
  /** Told what there is to count, and when sessions are taken. */
  readonly metrics?: Metrics
  readonly health?: Health
  /** What it agrees on with others; without it, its own. */
  readonly shared?: Shared
}

/** The gateway of one process, from open doors to sealed tapes. */
export class Service {
  readonly cancels: Cancels
  readonly listeners: readonly Listener[]
  readonly sessions: GatewaySessions
  readonly #tapes: TapeRoom
  /** In one process of each machine. */
  readonly #orphans: OrphanWatch | undefined
  readonly #denials: Denials
  readonly #desk: Desk
  readonly #policies: PolicyKeeper
  readonly #budgets: ReservedBudgets
  readonly #settings: Settings
  readonly #log: Log
  readonly #health: Health | undefined
  /** Opened here, and so closed here. */
  readonly #own: Shared | undefined
  readonly #traces: AsyncDisposable | undefined
  #stopped: Promise<boolean> | undefined

  private constructor(parts: {
    readonly cancels: Cancels
    readonly listeners: readonly Listener[]
    readonly sessions: GatewaySessions
    readonly tapes: TapeRoom
    readonly orphans: OrphanWatch | undefined
    readonly denials: Denials
    readonly desk: Desk
    readonly policies: PolicyKeeper
    readonly budgets: ReservedBudgets
    readonly settings: Settings
    readonly log: Log
    readonly health: Health | undefined
    readonly own: Shared | undefined
    readonly traces: AsyncDisposable | undefined
  }) {
    this.cancels = parts.cancels
    this.listeners = parts.listeners
    this.sessions = parts.sessions
    this.#tapes = parts.tapes
    this.#orphans = parts.orphans
    this.#denials = parts.denials
    this.#desk = parts.desk
    this.#policies = parts.policies
    this.#budgets = parts.budgets
    this.#settings = parts.settings
    this.#log = parts.log
    this.#health = parts.health
    this.#own = parts.own
    this.#traces = parts.traces
  }

  /** Opens every listener. Rejects CONFIG_INVALID or POLICY_INVALID where something cannot be enforced; nothing is left open then. */
  static async open(settings: Settings, options: ServiceOptions): Promise<Service> {
    const { log, env, worker = 0, forwardCancel, health } = options
    const places = placesIn(settings.dataDir)
    const shared = options.shared ?? (await openShared(settings, env, (error) => log.stray(error)))
    const own = options.shared === undefined ? shared : undefined
    const policies = await PolicyKeeper.open({
      file: settings.policyFile,
      records: shared.records('policy'),
      context: { groups: knownGroups(settings), findings: settings.findings },
    })
    let denials: Denials | undefined
    const doorkeeper = new Doorkeeper({
      identities: settings.identities,
      accessKeys: new AccessKeys(shared.records('accessKeys')),
      blocked: new BlockedSubjects(shared.records('blocked')),
      jwt: await JwtProver.open(settings.jwt),
      onDenied: (client, why) => {
        log.denied(client, why)
        denials?.note(client, why)
      },
    })
    const keys = {
      binding: await shared.key('approval-binding'),
      fingerprint: await shared.key('mask-fingerprint'),
    }
    const contexts = new Map(
      await Promise.all(
        settings.listeners.map(
          async ({ protocol, tls }) =>
            [
              protocol,
              await ListenerContext.open(tls, {
                keysDir: places.keys,
                gateway: settings.gateway,
                onNews: (news) => log.warned(`listeners.${protocol}.tls: ${news}`),
              }),
            ] as const,
        ),
      ),
    )
    const tapes = await openTapeRoom(settings, log, worker, {
      attesters: settings.attesters,
      onStored: (session) => shared.tapeNews?.grew(session),
      facts: { policy: policies.current, durability: settings.durability, targets: settings.targets.size },
    })
    prefetchCredentials(settings, log, env)
    denials = new Denials(
      (entry) => tapes.ledger.append(entry),
      (error) => log.stray(error),
    )
    const desk = shared.desk(tapes.ledger)
    const bank = new BudgetBank(shared.records('budgets'))
    await bank.tidy()
    const budgets = new ReservedBudgets(bank, (error) => log.stray(error))
    const cancels = new Cancels(worker, forwardCancel)
    const traffic = new Traffic()
    const busyPoll = new BusyPoll(settings.limits.busyPollMicros / 1000)
    const traces = await openTraces(settings, tapes.room.gateway, { log, env })
    const sessions = new GatewaySessions({
      onRecorded: (protocol, entries, nowMs) => {
        traffic.add(protocol, entries)
        busyPoll.came(nowMs)
      },
      traces: traces?.traces,
      settings,
      policies,
      doorkeeper,
      room: tapes.room,
      approvals: desk,
      access: new AccessWatch(desk, (error) => log.stray(error)),
      proofs: new ProofWatch(
        (identity) => doorkeeper.whyNot(identity),
        (error) => log.stray(error),
      ),
      desk,
      keys,
      cancels,
      budgets,
      log,
      env,
    })
    policies.follow({
      desk,
      ledger: tapes.ledger,
      keep: (policy) => tapes.keepPolicy(policy),
      approvalTtlMs: settings.limits.approvalTtlMs,
      onActivated: (policy) => {
        sessions.adopt(policy)
        log.policyActivated(policy.hash)
      },
      onRefused: (why) => log.warned(why),
    })
    const orphans = worker <= 1 ? new OrphanWatch({ ...tapes, log }) : undefined
    const listeners: Listener[] = []
    const parts = {
      cancels,
      listeners,
      sessions,
      tapes,
      denials,
      orphans,
      desk,
      policies,
      budgets,
      settings,
      log,
      health,
      own,
      traces,
    }
    const service = new Service(parts)
    try {
      const unproved = new Unproved(settings.limits)
      for (const each of settings.listeners) {
        const context = contexts.get(each.protocol)
        if (context === undefined) throw new Error('every listener has its certificate')
        const protocol = await PROTOCOLS[each.protocol](each, { keysDir: places.keys, gateway: settings.gateway })
        listeners.push(
          await Listener.open({ settings: each, limits: settings.limits, unproved, context, protocol, sessions, log }),
        )
      }
    } catch (error) {
      await service.stop('start-up failed')
      throw error
    }
    options.metrics?.read({
      protocols: settings.listeners.map(({ protocol }) => protocol),
      sessions: () => sessions.count(),
      holding: () => sessions.holding(),
      recorder: () => tapes.room.waiting(),
      traffic,
    })
    health?.serving()
    return service
  }

  /** Ends one session of this process with these words to its client; false where it is not open here. */
  kill(session: string, message: string): boolean {
    return this.sessions.end(session, killed(message))
  }

  /**
   * Accepts nothing more; lets sessions end by themselves for as long as is configured; then ends every session with a farewell and seals
   * its tape; at the configured bound the sockets are destroyed. True when everything was sealed. Calling it again waits for the first call.
   */
  stop(why: string): Promise<boolean> {
    this.#stopped ??= this.#stop(why)
    return this.#stopped
  }

  async #stop(why: string): Promise<boolean> {
    this.#health?.stopping()
    for (const listener of this.listeners) listener.close()
    const { drainTimeoutMs } = this.#settings.limits
    if (drainTimeoutMs > 0 && this.sessions.size > 0) {
      this.#log.draining(why, this.sessions.size, drainTimeoutMs)
      await within(drainTimeoutMs, this.sessions.emptied())
    }
    this.#log.stopping(why, this.sessions.size)
    this.sessions.endAll({
      why: 'shutdown',
      message: 'the gateway is shutting down',
      hint: 'connect again in a moment',
      rules: [],
    })
    const drained = Promise.all(this.listeners.map((listener) => listener.drained()))
    if (!(await within(this.#settings.limits.shutdownTimeoutMs, drained))) {
      for (const listener of this.listeners) listener.destroy()
      await within(SEAL_GRACE_MS, drained)
    }
    await within(SEAL_GRACE_MS, this.sessions.drained())
    this.#desk[Symbol.dispose]()
    const clean = (await this.#giveBack()) && this.sessions.size === 0
    this.#log.stopped(clean)
    return clean
  }

  async #giveBack(): Promise<boolean> {
    try {
      await this.#orphans?.[Symbol.asyncDispose]()
      await this.#policies[Symbol.asyncDispose]()
      await this.#budgets[Symbol.asyncDispose]()
      await this.#denials.tell()
      await this.#traces?.[Symbol.asyncDispose]()
      await this.#tapes[Symbol.asyncDispose]()
      await this.#own?.[Symbol.asyncDispose]()
      return true
    } catch (error) {
      this.#log.stray(error)
      return false
    }
  }
}

/** So that the first session does not wait for tokens and vaults, and what is wrong with them is in the log before somebody meets it. */
function prefetchCredentials(settings: Settings, log: Log, env: NodeJS.ProcessEnv): void {
  for (const { target, credential } of settings.targets.values()) {
    if ((credential.managedIdentity ?? credential.keyVault) === undefined) continue
    readCredential(credential, env).catch((error: unknown) => log.credentialFailed(target.name, error))
  }
}

/** Rejects POLICY_INVALID with every mistake by line. */
export async function loadPolicy(settings: Pick<Settings, 'policyFile' | 'identities' | 'jwt' | 'findings'>): Promise<Policy> {
  return compilePolicy(await readFile(settings.policyFile, 'utf8'), settings.policyFile, {
    groups: knownGroups(settings),
    findings: settings.findings,
  })
}

/** Tells what works but should not stay so. */
export function warnOf(settings: Settings, log: Log): void {
  const targets = [...settings.targets.values()].map(({ target, credential }) => ({ ...target, tls: credential.tls.mode }))
  for (const warning of warningsOf(targets)) log.warned(warning)
  const files = openFilesWarning(settings.limits)
  if (files !== undefined) log.warned(files)
}

/** Whether the work ended in time. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
