import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Traffic } from './traffic.ts'

/** What is counted as it happens, and the labels each has. Never a subject, session or text: few series, and nothing personal. */
const COUNTED = {
  sessions_opened: { help: 'Sessions whose tape was begun', labels: ['target'] },
  sessions_sealed: { help: 'Sessions whose tape was sealed', labels: [] },
  sessions_not_opened: { help: 'Sessions refused because they could not be recorded', labels: ['target'] },
  recordings_failed: { help: 'Sessions ended because they could no longer be recorded', labels: [] },
  proofs_denied: { help: 'Proofs that proved nobody', labels: [] },
  targets_denied: { help: 'Targets asked for that are not there, or not for who asked', labels: [] },
  connections_turned_away: { help: 'Connections that never became a session', labels: ['code'] },
  requests_refused: { help: 'Requests over HTTP refused before they belonged to a session', labels: ['code'] },
  connections_failed: { help: 'Connections ended by a bug of ours', labels: [] },
  unexpected_errors: { help: 'Errors outside any connection', labels: [] },
  credentials_failed: { help: 'Credentials of targets that could not be read', labels: ['target'] },
  tapes_recovered: { help: 'Tapes of processes that died, ended by another', labels: [] },
  spools_kept: { help: 'Spools that could not be recovered', labels: [] },
  copies_made: { help: 'Tapes copied to the evidence container', labels: [] },
  copies_failed: { help: 'Copies that failed and are tried again', labels: [] },
  ledger_problems: { help: 'Checkpoints not made or not attested', labels: [] },
  siem_entries_told: { help: 'Entries of the ledger that a SIEM has taken', labels: ['sink'] },
  siem_deliveries_failed: { help: 'Batches that a SIEM did not take and is sent again', labels: ['sink'] },
  siem_entries_rejected: { help: 'Entries of the ledger that a SIEM has thrown away', labels: ['sink'] },
  trace_spans_told: { help: 'Spans that the collector has taken', labels: [] },
  trace_spans_lost: { help: 'Spans left out: too many waited, or the collector threw them away', labels: [] },
  workers_died: { help: 'Workers that died and were started again', labels: [] },
  policies_activated: { help: 'Policies that came into force', labels: [] },
} as const satisfies Readonly<Record<string, { readonly help: string; readonly labels: readonly string[] }>>
export type Counted = keyof typeof COUNTED

/** What of a process is read when somebody asks. */
export interface Read {
  /** Those there are listeners for: what has not come yet is 0, and not unknown. */
  readonly protocols: readonly ProtocolName[]
  /** Open sessions by protocol. */
  sessions(): ReadonlyMap<ProtocolName, number>
  /** Messages that wait for a person. */
  holding(): number
  /** What was released and is not in the store yet. */
  recorder(): { readonly bytes: number; readonly oldestMs: number }
  readonly traffic: Traffic
}

/** The numbers of one process, as Prometheus reads them. Names begin with `sallyport_`. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #counters: ReadonlyMap<Counted, Counter>

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
    this.#counters = new Map(
      (Object.keys(COUNTED) as Counted[]).map((name) => {
        const { help, labels } = COUNTED[name]
        return [
          name,
          new Counter({ name: `sallyport_${name}_total`, help, labelNames: [...labels], registers: [this.#registry] }),
        ] as const
      }),
    )
  }

  count(name: Counted, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counters.get(name)?.inc({ ...labels }, by)
  }

  /** From here on what `read` says is told too. */
  read({ protocols, sessions, holding, recorder, traffic }: Read): void {
    this.#gauge('holds_waiting', 'Messages that wait for a person', [], (set) => set(holding()))
    this.#gauge('recorder_waiting_bytes', 'Recorded and released, and not in the store yet', [], (set) => set(recorder().bytes))
    const lag = 'Age of the oldest that is recorded and not in the store yet'
    this.#gauge('recorder_lag_seconds', lag, [], (set) => set(recorder().oldestMs / 1_000), 'max')
    this.#gauge('sessions_open', 'Open sessions', ['protocol'], (set) => {
      const open = sessions()
      for (const protocol of new Set([...protocols, ...open.keys()])) set({ protocol }, open.get(protocol) ?? 0)
    })
    this.#counter('messages_total', 'Messages recorded and judged', ['protocol', 'verdict'], (add) => {
      for (const [protocol, { messages }] of traffic.byProtocol)
        for (const [verdict, count] of Object.entries(messages)) add({ protocol, verdict }, count)
    })
    this.#counter('recorded_bytes_total', 'Bytes of recorded bodies', ['protocol', 'direction'], (add) => {
      for (const [protocol, { bytes }] of traffic.byProtocol)
        for (const [direction, count] of Object.entries(bytes)) add({ protocol, direction }, count)
    })
  }

  /** Age of the oldest entry of the ledger that a SIEM has not got, by sink. */
  readLags(lags: () => ReadonlyMap<string, number>): void {
    this.#gauge('siem_lag_seconds', 'Age of the oldest entry of the ledger that a SIEM has not got', ['sink'], (set) => {
      for (const [sink, seconds] of lags()) set({ sink }, seconds)
    })
  }

  /** `aggregator`: what becomes of the values of several processes. */
  #gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    collect: (set: Gauge['set']) => void,
    aggregator: 'sum' | 'max' = 'sum',
  ): void {
    const made: Gauge = new Gauge({
      aggregator,
      name: `sallyport_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        made.reset()
        collect(made.set.bind(made))
      },
    })
  }

  /** What counts itself elsewhere, and never falls. */
  #counter(name: string, help: string, labelNames: readonly string[], collect: (add: Counter['inc']) => void): void {
    const made: Counter = new Counter({
      name: `sallyport_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        made.reset()
        collect(made.inc.bind(made))
      },
    })
  }

  /** For `metricsText`, in this process or another. */
  async json(): Promise<object[]> {
    return this.#registry.getMetricsAsJSON()
  }
}

/** What of these numbers never falls while its process lives, and so must not when it is gone. */
export function countersOf(metrics: readonly object[]): readonly object[] {
  return metrics.filter((metric) => 'type' in metric && (metric.type === 'counter' || metric.type === 'histogram'))
}

/** As if one process had counted all of it. */
export async function addedUp(processes: readonly (readonly object[])[]): Promise<readonly object[]> {
  return AggregatorRegistry.aggregate(processes.map((each) => [...each])).getMetricsAsJSON()
}

/** The numbers of several processes added up, in the text format that Prometheus reads. */
export async function metricsText(
  processes: readonly (readonly object[])[],
): Promise<{ readonly type: string; readonly text: string }> {
  const registry = AggregatorRegistry.aggregate(processes.map((each) => [...each]))
  return { type: registry.contentType, text: await registry.metrics() }
}
