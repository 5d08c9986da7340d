import type { TapeState } from '../../schemas/bundle.ts'
import type { CsvCell } from '../../schemas/csv.ts'
import type { Store } from '../store/store.ts'
import type { CopiedLog } from './log-copy.ts'

interface Counted {
  readonly store: Store
  /** Counts the sessions that the catalog has of these; absent without a catalog. */
  readonly inCatalog?: (sessions: readonly string[]) => Promise<number>
  readonly period: { readonly from: string; readonly to: string }
  /** Entries of the log, as of the watermark. */
  readonly size: number
  readonly tapes: Readonly<Record<TapeState, number>>
  readonly signal: AbortSignal | undefined
}

/** Counts the population four ways. Tapes that the log knows nothing of are added to `gaps`. */
export async function countFourWays(
  copied: CopiedLog,
  gaps: CsvCell[][],
  parts: Counted,
): Promise<Readonly<Record<string, unknown>>> {
  const { log, carried, from } = copied
  const { store, inCatalog, period, size, tapes, signal } = parts
  const day = (time: string): string => time.replaceAll(/[-:]/g, '').slice(0, 15)
  const [first, last] = [day(period.from), day(period.to)]
  let [stored, before] = [0, '']
  for await (const key of store.list('tapes/', signal)) {
    const id = key.split('/')[1] ?? ''
    if (id === before) continue
    before = id
    if (log.sessions.has(id)) stored += 1
    else if (id.slice(0, 15) >= first && id.slice(0, 15) < last && !copied.knows(id))
      gaps.push([id, 'unledgered', 'there is a tape, and the log knows of no such session'])
  }
  const catalog = inCatalog === undefined ? undefined : await inCatalog([...log.sessions.keys()])
  return {
    question: 'Is this population whole? Counted four ways; what differs is in gaps.csv, by name.',
    counters: {
      ledger: { what: 'session.open entries of the period, signed', sessions: log.sessions.size + log.outOfScope },
      numbers: {
        what: 'numbers that every gateway gives its sessions, without gaps',
        sessions: [...log.numbers.values()].reduce(
          (sum, { first: lowest, last: highest, outside }) => sum + highest - lowest + 1 - outside,
          0,
        ),
        gateways: Object.fromEntries([...log.numbers].sort(([a], [b]) => (a < b ? -1 : 1))),
      },
      store: { what: 'sessions in scope with at least one object in the store', sessions: stored },
      catalog: catalog === undefined ? null : { what: 'sessions in scope in the catalog', sessions: catalog },
    },
    inScope: log.sessions.size,
    outOfScope: log.outOfScope,
    openedBeforeAndStillRunning: carried,
    tapes,
    lines: { from, to: size, noEntries: log.malformed, byStrangers: log.strangers, notAsSigned: log.bad },
  }
}
