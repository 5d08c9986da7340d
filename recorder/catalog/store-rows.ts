import type { StatementRow } from '../../schemas/api.ts'
import type { Database } from './database.ts'
import type { SessionDigest } from './digest.ts'
import { sqlJson } from './text.ts'

/** Statements of one insert: a few hundred kilobytes of JSON, some tens of milliseconds of the catalog's thread. */
const BATCH_ROWS = 500

const SESSION_COLUMNS = [
  'id',
  'state',
  'gateway',
  'subject',
  'kind',
  'principal',
  'groups',
  'target',
  'protocol',
  'database',
  'labels',
  'client',
  'started_at',
  'ended_at',
  'end_reason',
  'duration_us',
  'frames',
  'statements',
  'rows',
  'bytes_in',
  'bytes_out',
  'masked',
  'v_allow',
  'v_mask',
  'v_block',
  'v_hold',
  'last_statement',
  'extra',
] as const
const STATEMENT_COLUMNS = [
  'session',
  'frame',
  'part',
  'channel',
  'kind',
  'text',
  'text_cut',
  'at_us',
  'duration_us',
  'last_frame',
  'rows',
  'bytes_out',
  'masked',
  'verdict',
  'rules',
  'approval',
  'outcome',
] as const

const PUT_SESSION = upsert('sessions', SESSION_COLUMNS, ['id'])
const PUT_STATEMENTS = upsert('statements', STATEMENT_COLUMNS, ['session', 'frame', 'part'])

/** Writes what the digests have gathered: all of it or nothing. The same again changes nothing. */
export async function storeDigests(database: Database, digests: readonly SessionDigest[]): Promise<void> {
  const statements = digests.flatMap((digest) => digest.takeStatements())
  await database.transaction(async (each) => {
    for (let from = 0; from < statements.length; from += BATCH_ROWS)
      await each.query(PUT_STATEMENTS, [sqlJson(statements.slice(from, from + BATCH_ROWS).map(statementColumns))])
    await each.query(PUT_SESSION, [sqlJson(digests.map(sessionColumns))])
  })
}

/** Forgets what was read of a tape that is to be read again. */
export async function forgetSession(database: Database, id: string): Promise<void> {
  await database.transaction(async (each) => {
    await each.query('delete from catalog.statements where session = $1', [id])
    await each.query('delete from catalog.sessions where id = $1', [id])
  })
}

function sessionColumns(digest: SessionDigest): Record<(typeof SESSION_COLUMNS)[number], unknown> {
  const { identity, target, verdicts, ...row } = digest.row()
  return {
    id: row.id,
    state: row.state,
    gateway: row.gateway,
    subject: identity.subject,
    kind: identity.kind,
    principal: identity.principal ?? null,
    groups: identity.groups,
    target: target.name,
    protocol: target.protocol,
    database: target.database ?? null,
    labels: target.labels,
    client: row.client,
    started_at: row.startedAt,
    ended_at: row.endedAt,
    end_reason: row.endReason,
    duration_us: row.durationUs,
    frames: row.frames,
    statements: row.statements,
    rows: row.rows,
    bytes_in: row.bytesIn,
    bytes_out: row.bytesOut,
    masked: row.masked,
    v_allow: verdicts.allow,
    v_mask: verdicts.mask,
    v_block: verdicts.block,
    v_hold: verdicts.hold,
    last_statement: row.lastStatement,
    extra: digest.extra(),
  }
}

function statementColumns(row: StatementRow): Record<(typeof STATEMENT_COLUMNS)[number], unknown> {
  const { textCut, atUs, durationUs, lastFrame, bytesOut, ...same } = row
  return { ...same, text_cut: textCut, at_us: atUs, duration_us: durationUs, last_frame: lastFrame, bytes_out: bytesOut }
}

function upsert(table: string, columns: readonly string[], key: readonly string[]): string {
  const rest = columns.filter((column) => !key.includes(column))
  return `insert into catalog.${table} (${columns.join(', ')})
    select ${columns.join(', ')} from jsonb_populate_recordset(null::catalog.${table}, $1::jsonb)
    on conflict (${key.join(', ')}) do update set (${rest.join(', ')}) = row(${rest.map((column) => `excluded.${column}`).join(', ')})`
}
