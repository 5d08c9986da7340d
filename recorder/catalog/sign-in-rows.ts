import type { Database } from './database.ts'
import type { SignInRecord } from './messages.ts'
import { sqlJson } from './text.ts'

interface Columns {
  readonly token_hash: string
  readonly identity: SignInRecord['identity']
  readonly created_at: Date
  readonly expires_at: Date
  readonly seen_at: Date
}

/** Those that have not expired; the others are deleted. */
export async function listSignIns(database: Database): Promise<readonly SignInRecord[]> {
  await database.query('delete from desk.sign_ins where expires_at <= now()')
  const { rows } = await database.query<Columns>('select * from desk.sign_ins')
  return rows.map(({ token_hash, identity, created_at, expires_at, seen_at }) => ({
    tokenHash: token_hash,
    identity,
    createdMs: created_at.getTime(),
    expiresMs: expires_at.getTime(),
    seenMs: seen_at.getTime(),
  }))
}

export async function putSignIn(
  database: Database,
  { tokenHash, identity, createdMs, expiresMs, seenMs }: SignInRecord,
): Promise<void> {
  await database.query(
    `insert into desk.sign_ins values ($1, $2::jsonb, $3, $4, $5) on conflict (token_hash) do update set seen_at = excluded.seen_at`,
    [tokenHash, sqlJson(identity), iso(createdMs), iso(expiresMs), iso(seenMs)],
  )
}

export async function endSignIn(database: Database, tokenHash: string): Promise<void> {
  await database.query('delete from desk.sign_ins where token_hash = $1', [tokenHash])
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
