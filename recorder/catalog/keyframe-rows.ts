import type { Keyframe } from '../../schemas/views/keyframes.ts'
import type { Database, Queries } from './database.ts'
import type { KeyframeRow } from './screens.ts'
import { sqlJson } from './text.ts'

/** Written again it is the same. */
const PUT = `insert into catalog.screens (session, channel, seq, cols, rows, init, torn)
  select session, channel, seq, cols, rows, init, torn from jsonb_populate_recordset(null::catalog.screens, $1::jsonb)
  on conflict (session, channel, seq) do nothing`

export async function putKeyframes(
  queries: Queries,
  rows: readonly (KeyframeRow & { readonly session: string })[],
): Promise<void> {
  await queries.query(PUT, [sqlJson(rows)])
}

/** The newest at or before that frame. */
export async function findKeyframe(database: Database, session: string, channel: number, seq: number): Promise<Keyframe | null> {
  const { rows } = await database.query<Keyframe>(
    `select seq, cols, rows, init, torn from catalog.screens where session = $1 and channel = $2 and seq <= $3
     order by seq desc limit 1`,
    [session, channel, seq],
  )
  return rows[0] ?? null
}
