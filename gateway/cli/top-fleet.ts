import type { ApprovalView, ServerEvent, SessionRow } from '../../schemas/api.ts'
import { type Samples, sumOf } from './metrics-text.ts'

/** One gateway as its monitoring tells; rates are undefined until it was asked twice. */
export interface TopGateway {
  readonly address: string
  /** Why nothing is known of it. */
  readonly problem?: string
  readonly sessions: number
  readonly holds: number
  readonly messagesPerSecond?: number
  readonly bytesInPerSecond?: number
  readonly bytesOutPerSecond?: number
  readonly cpuPercent?: number
  /** Since it started. */
  readonly verdicts: Verdicts
  readonly recorderLagSeconds: number
  readonly recorderWaitingBytes: number
  readonly memoryBytes: number
}
type Verdicts = SessionRow['verdicts']

/** A running session as the catalog has it. Names are text of others. */
export interface TopSession {
  readonly id: string
  readonly gateway: string
  readonly subject: string
  readonly principal?: string
  readonly target: string
  readonly protocol: string
  readonly startedAt: string
  readonly seconds: number
  readonly frames: number
  readonly framesPerSecond: number
  readonly bytesOutPerSecond: number
  readonly masked: number
  readonly verdicts: Verdicts
}

/** A request that waits for people. */
export interface TopHold {
  readonly id: string
  readonly requester: string
  readonly target?: string
  readonly about: string
  readonly waitingSeconds: number
  readonly expiresAt: string
}

export interface TopSnapshot {
  readonly at: string
  readonly gateways: readonly TopGateway[]
  /** Undefined where no console could be asked. */
  readonly sessions?: readonly TopSession[]
  readonly holds?: readonly TopHold[]
  /** What is missing here, and why. */
  readonly problems: readonly string[]
}

/** Of a gateway at a moment: counters whose differences are rates. */
interface Counted {
  readonly atMs: number
  readonly samples: Samples
}
interface Followed {
  readonly row: SessionRow
  /** At the last snapshot. */
  readonly before: { readonly frames: number; readonly bytesOut: number; readonly atMs: number }
}

/** What is known of a fleet by now; told by whoever asks its gateways and its console, and nothing here asks. */
export class Fleet {
  readonly #gateways = new Map<string, { readonly now?: Counted; readonly before?: Counted; readonly problem?: string }>()
  readonly #sessions = new Map<string, Followed>()
  readonly #holds = new Map<string, ApprovalView>()
  readonly #problems = new Map<string, string>()
  #hasConsole = false

  counted(address: string, samples: Samples, atMs: number): void {
    const before = this.#gateways.get(address)?.now
    this.#gateways.set(address, { now: { atMs, samples }, ...(before === undefined ? {} : { before }) })
  }

  silent(address: string, problem: string): void {
    this.#gateways.set(address, { problem })
  }

  /** `problem` undefined: what was wrong is over. */
  problem(where: string, problem?: string): void {
    if (problem === undefined) this.#problems.delete(where)
    else this.#problems.set(where, problem)
  }

  /** Everything there is: what is not among it is over. */
  listed(sessions: readonly SessionRow[], holds: readonly ApprovalView[], atMs: number): void {
    this.#hasConsole = true
    const known = new Map(this.#sessions)
    this.#sessions.clear()
    for (const row of sessions) this.#seen(row, atMs, known.get(row.id))
    this.#holds.clear()
    for (const hold of holds) this.#holds.set(hold.id, hold)
  }

  heard({ event, data }: ServerEvent, atMs: number): void {
    switch (event) {
      case 'opened':
        this.#seen(data, atMs)
        return
      case 'progress': {
        const followed = this.#sessions.get(data.session)
        if (followed !== undefined) this.#sessions.set(data.session, { ...followed, row: { ...followed.row, ...data } })
        if (data.state !== 'live') this.#sessions.delete(data.session)
        return
      }
      case 'closed':
        this.#sessions.delete(data.id)
        return
      case 'approval':
        if (data.state === 'pending') this.#holds.set(data.id, data)
        else this.#holds.delete(data.id)
        return
      case 'finding':
      case 'reset':
        return
      default:
        event satisfies never
    }
  }

  #seen(row: SessionRow, atMs: number, known = this.#sessions.get(row.id)): void {
    const { frames, bytesOut } = row
    if (row.state === 'live') this.#sessions.set(row.id, { row, before: known?.before ?? { frames, bytesOut, atMs } })
  }

  /** As it is now; rates are of the time since the last snapshot. */
  snapshot(now: Date, atMs: number): TopSnapshot {
    const sessions = [...this.#sessions.values()].map((each) => sessionOf(each, now, atMs))
    for (const [id, { row }] of this.#sessions)
      this.#sessions.set(id, { row, before: { frames: row.frames, bytesOut: row.bytesOut, atMs } })
    return {
      at: now.toISOString(),
      gateways: [...this.#gateways].map(([address, { now: counted, before, problem }]) =>
        gatewayOf(address, counted, before, problem),
      ),
      ...(this.#hasConsole ? { sessions, holds: [...this.#holds.values()].map((each) => holdOf(each, now)) } : {}),
      problems: [...this.#problems].map(([where, problem]) => `${where}: ${problem}`),
    }
  }
}

function gatewayOf(
  address: string,
  now: Counted | undefined,
  before: Counted | undefined,
  problem = 'not asked yet',
): TopGateway {
  const samples: Samples = now?.samples ?? new Map()
  const of = (name: string, labels?: Readonly<Record<string, string>>): number => sumOf(samples, `sallyport_${name}`, labels)
  const known = {
    address,
    ...(now === undefined ? { problem } : {}),
    sessions: of('sessions_open'),
    holds: of('holds_waiting'),
    verdicts: {
      allow: of('messages_total', { verdict: 'allow' }),
      mask: of('messages_total', { verdict: 'mask' }),
      block: of('messages_total', { verdict: 'block' }),
      hold: of('messages_total', { verdict: 'hold' }),
    },
    recorderLagSeconds: of('recorder_lag_seconds'),
    recorderWaitingBytes: of('recorder_waiting_bytes'),
    memoryBytes: sumOf(samples, 'process_resident_memory_bytes'),
  }
  if (now === undefined || before === undefined) return known
  const seconds = Math.max(1e-3, (now.atMs - before.atMs) / 1_000)
  // A gateway that was started again counts from zero.
  const rate = (name: string, labels?: Readonly<Record<string, string>>): number =>
    Math.max(0, sumOf(now.samples, name, labels) - sumOf(before.samples, name, labels)) / seconds
  return {
    ...known,
    messagesPerSecond: rate('sallyport_messages_total'),
    bytesInPerSecond: rate('sallyport_recorded_bytes_total', { direction: 'in' }),
    bytesOutPerSecond: rate('sallyport_recorded_bytes_total', { direction: 'out' }),
    cpuPercent: rate('process_cpu_seconds_total') * 100,
  }
}

function sessionOf({ row, before }: Followed, now: Date, atMs: number): TopSession {
  const { id, gateway, identity, target, startedAt, frames, bytesOut, masked, verdicts } = row
  const seconds = Math.max(1e-3, (atMs - before.atMs) / 1_000)
  return {
    id,
    gateway,
    subject: identity.subject,
    ...(identity.principal === undefined ? {} : { principal: identity.principal }),
    target: target.name,
    protocol: target.protocol,
    startedAt,
    seconds: Math.max(0, Math.round((now.getTime() - Date.parse(startedAt)) / 1_000)),
    frames,
    framesPerSecond: Math.max(0, frames - before.frames) / seconds,
    bytesOutPerSecond: Math.max(0, bytesOut - before.bytesOut) / seconds,
    masked,
    verdicts,
  }
}

function holdOf({ id, requester, target, about = 'message', createdAt, expiresAt }: ApprovalView, now: Date): TopHold {
  return {
    id,
    requester,
    ...(target === undefined ? {} : { target }),
    about,
    waitingSeconds: Math.max(0, Math.round((now.getTime() - Date.parse(createdAt)) / 1_000)),
    expiresAt,
  }
}
