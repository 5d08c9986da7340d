import type { Database } from '../../recorder/catalog/database.ts'
import { ensureMonths } from '../../recorder/catalog/months.ts'

let n = 0

export interface Who {
  readonly family?: string
  readonly target?: string
  readonly protocol?: string
  readonly state?: string
}

export type SaidOf = [atMs: number, said: readonly Said[], who?: Who]

export interface Said {
  readonly text?: string
  readonly rows?: number
  readonly bytes?: number
  readonly masked?: number
  readonly objects?: readonly string[]
  readonly verbs?: readonly string[]
  readonly fingerprint?: string
  readonly outcome?: string
  readonly afterMs?: number
}

/** A session with these statements; what they took is added up as the catalog does. */
export async function writeSession(database: Database, atMs: number, said: readonly Said[], who: Who = {}): Promise<string> {
  const { family = 'ada', target = 'shop', protocol = 'postgres', state = 'sealed' } = who
  n += 1
  const id = `${new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')}-gw1-${String(n).padStart(8, '0')}`
  const started = new Date(atMs)
  await ensureMonths(database, [id])
  await database.query(
    `insert into catalog.sessions values ($1, $2, 'gw1', 'agent-7', 'agent', $3, '[]', $4, $5, null, '{}', '10.0.0.1:5000', $6, null, null,
      3600000000, 100, 1, 1, 1, 1, 0, 0, 0, 0, 0, null, '{}')`,
    [id, state, family, target, protocol, started],
  )
  for (const [index, one] of said.entries()) {
    const { text = 'SELECT 1', rows = 0, bytes = rows * 50, masked = 0, objects = [], verbs = [], fingerprint = null } = one
    const { outcome = 'complete', afterMs = index * 1_000 } = one
    await database.query(
      `insert into catalog.statements values ($1, $2, 0, 0, 'query', $3, false, $4, 900, $5, $6, $7, $8, null, '{}', null, $9, $10, $11, $12)`,
      [
        id,
        10 + 2 * index,
        text,
        afterMs * 1_000,
        11 + 2 * index,
        rows,
        bytes,
        masked,
        outcome,
        [...objects],
        [...verbs],
        fingerprint,
      ],
    )
    for (const object of objects) {
      const hour = new Date(Math.floor((atMs + afterMs) / 3_600_000) * 3_600_000)
      await database.query(
        `insert into catalog.pulls values ($1, $2, $3, $4, 'agent-7', $5, $6, 1, $7, $8, $9, $7, $10, $11, 0)
         on conflict (session, object, hour) do update set statements = pulls.statements + 1, rows = pulls.rows + excluded.rows,
           bytes_out = pulls.bytes_out + excluded.bytes_out, masked = pulls.masked + excluded.masked,
           largest_rows = greatest(pulls.largest_rows, excluded.rows), last_frame = excluded.last_frame`,
        [id, object, hour, family, target, protocol, rows, bytes, masked, 10 + 2 * index, 11 + 2 * index],
      )
      await database.query('insert into catalog.first_seen values ($1, $2, $3, $4, $5, $6) on conflict do nothing', [
        family,
        target,
        object,
        hour,
        id,
        10 + 2 * index,
      ])
    }
  }
  return id
}
