import type { SessionState } from '../schemas/api.ts'
import type { LedgerEntry } from '../schemas/ledger.ts'
import type { GatewayKey } from '../schemas/verify/tools.ts'
import { isSignedBy } from './ledger/entry-signer.ts'
import { readLines } from './ledger/ledger-reader.ts'
import type { Store } from './store/store.ts'
import { listSessions } from './tape/reader.ts'

/** What the catalog has of a session. */
export interface CatalogEntry {
  readonly id: string
  readonly state: SessionState
  readonly frames: number
}

/** Ids are in their order: by start. Whether what is there is unchanged is for `verify` to say. */
export interface Reconciliation {
  /** Sessions the ledger has the opening of. */
  readonly opens: number
  /** Tapes in the store. */
  readonly tapes: number
  /** Sessions in the catalog; null where it was not asked. */
  readonly rows: number | null
  /** Ended, as ledger and tape both say. */
  readonly ended: number
  /** Deleted under a rule, the ledger says so, and the tape is gone. */
  readonly deleted: number
  /** Opened, and not a frame of them was ever stored: told so in the ledger. */
  readonly never: number
  /** Still being recorded, or waiting for their recovery. */
  readonly live: readonly string[]
  /** Opened, and there is no tape, and nobody said why. */
  readonly missing: readonly string[]
  /** Deleted under a rule, the ledger says so, and the tape is still there, for its store's lifecycle rule to remove; maybe a part of it. */
  readonly released: readonly string[]
  /** A tape that was never opened in the ledger. */
  readonly extra: readonly string[]
  /** A header that cannot be read, or another number of frames than the ledger has. */
  readonly damaged: readonly string[]
  /** Ended tapes that the catalog does not have, or has as they were before their end. */
  readonly unlisted: readonly string[]
  /** In the catalog, without a tape. */
  readonly stale: readonly string[]
}

interface Opened {
  frames?: number
  ended?: true
  never?: true
  deleted?: true
}

/**
 * Compares what the ledger, the store and the catalog know. Reads every line of the ledger and both ends of every tape.
 * Entries that none of the keys `trusted` has signed do not count. `from`: ids below it are of months the catalog does not keep.
 */
export async function reconcile(
  store: Store,
  trusted: readonly GatewayKey[],
  catalog: { readonly rows: AsyncIterable<CatalogEntry>; readonly from?: string } | undefined,
  onRead: (part: 'ledger' | 'tapes' | 'catalog', count: number) => void = () => undefined,
): Promise<Reconciliation> {
  // The catalog first and the ledger last: what begins meanwhile is then in what is read later, and nothing seems to be too much.
  const listed = catalog === undefined ? undefined : new Map<string, CatalogEntry>()
  if (catalog !== undefined)
    for await (const row of catalog.rows) {
      listed?.set(row.id, row)
      onRead('catalog', listed?.size ?? 0)
    }
  const tapes = new Map<string, { readonly open: boolean; readonly readable: boolean; readonly frames: number }>()
  for await (const { id, header, state, frameCount } of listSessions(store)) {
    tapes.set(id, { open: state === 'open', readable: header !== undefined, frames: frameCount })
    onRead('tapes', tapes.size)
  }
  const opened = await openedIn(store, trusted, (count) => onRead('ledger', count))
  const gone = (id: string): boolean => !tapes.has(id)
  const all = [...opened].sort(([a], [b]) => (a < b ? -1 : 1))
  const isReleased = ([id]: readonly [string, unknown]): boolean => opened.get(id)?.deleted === true
  const there = [...tapes].sort(([a], [b]) => (a < b ? -1 : 1))
  const present = there.filter((each) => !isReleased(each))
  const ids = (some: readonly (readonly [string, unknown])[]): string[] => some.map(([id]) => id)
  return {
    opens: opened.size,
    tapes: tapes.size,
    rows: listed?.size ?? null,
    ended: present.filter(([id, { open, readable }]) => readable && !open && opened.has(id)).length,
    deleted: all.filter(([id, { deleted }]) => deleted === true && gone(id)).length,
    never: all.filter(([id, { never, deleted }]) => never === true && deleted !== true && gone(id)).length,
    live: ids(present.filter(([id, { open, readable }]) => open && readable && opened.get(id)?.ended !== true)),
    missing: ids(all.filter(([id, { never, deleted }]) => never !== true && deleted !== true && gone(id))),
    released: ids(there.filter(isReleased)),
    extra: ids(present.filter(([id]) => !opened.has(id))),
    damaged: ids(
      present.filter(([id, { open, readable, frames }]) => {
        const own = opened.get(id)
        return !readable || (own?.ended === true && (open || (own.frames !== undefined && own.frames !== frames)))
      }),
    ),
    unlisted:
      listed === undefined
        ? []
        : ids(
            present.filter(([id, { open, readable, frames }]) => {
              const row = listed.get(id)
              return (
                id >= (catalog?.from ?? '') &&
                readable &&
                !open &&
                (row === undefined || row.state === 'live' || row.frames !== frames)
              )
            }),
          ),
    stale: listed === undefined ? [] : [...listed.keys()].filter(gone).sort(),
  }
}

/** The exit code: 0 all accounted for, 10 only the catalog differs (a rebuild mends it), 20 evidence is missing, too much, or damaged. */
export function reconciledExit({ missing, extra, damaged, unlisted, stale }: Reconciliation): 0 | 10 | 20 {
  if (missing.length + extra.length + damaged.length > 0) return 20
  return unlisted.length + stale.length > 0 ? 10 : 0
}

const COUNTED: ReadonlySet<string> = new Set<LedgerEntry['type']>([
  'session.open',
  'session.close',
  'session.recover',
  'recording.failed',
  'retention.delete',
])

async function openedIn(
  store: Store,
  trusted: readonly GatewayKey[],
  onRead: (count: number) => void,
): Promise<Map<string, Opened>> {
  const opened = new Map<string, Opened>()
  for await (const { entry, index } of readLines(store)) {
    onRead(index + 1)
    const said = entry?.statement
    const session = said?.['session']
    if (entry === undefined || said === undefined || typeof session !== 'string') continue
    // Whoever can write to the store can add lines, and would excuse what is missing.
    if (!COUNTED.has(said.type) || !isSignedBy(entry, trusted)) continue
    const { frames } = said
    const count = typeof frames === 'number' ? { frames } : {}
    const own = opened.get(session)
    if (said.type === 'session.open') opened.set(session, own ?? {})
    else if (own === undefined) continue
    else if (said.type === 'session.close') Object.assign(own, { ended: true, ...count })
    else if (said.type === 'session.recover') {
      // Frames of a recovery are those before it; how many there are in the end, the tape says.
      if (said['outcome'] === 'absent') own.never = true
    } else if (said.type === 'recording.failed' && frames === 0) own.never = true
    else if (said.type === 'retention.delete') own.deleted = true
  }
  return opened
}
