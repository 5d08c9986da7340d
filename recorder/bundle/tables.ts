import type { BundleManifest } from '../../schemas/bundle.ts'
import type { CsvCell } from '../../schemas/csv.ts'
import type { PeriodEntry } from '../../schemas/verify/period-log.ts'

/** A table with a row for each of the log's entries of some types. */
export interface LogTable {
  readonly file: string
  readonly types: readonly string[]
  /** The period's entries, or all up to the watermark: who looked at a recording since is of interest, too. */
  readonly until: BundleManifest['tables'][number]['until']
  /** Members of the entries, in this order, behind entry, at, writer and type. */
  readonly columns: readonly string[]
}

/** Columns every table begins with. */
const FIRST = ['entry', 'at', 'writer', 'type'] as const

export const LOG_TABLES: readonly LogTable[] = [
  {
    file: 'populations/approvals.csv',
    types: [
      'approval.request',
      'approval.decide',
      'approval.consume',
      'approval.expire',
      'approval.withdraw',
      'approval.break-glass',
      'approval.review',
      'approval.decision',
      'approval.decision-failed',
    ],
    until: 'watermark',
    columns: [
      'approval',
      'session',
      'about',
      'requester',
      'actor',
      'proof',
      'act',
      'target',
      'rules',
      'approvers',
      'binding',
      'expiresAt',
      'reason',
      'note',
      'code',
    ],
  },
  {
    file: 'populations/access.csv',
    types: ['access.ask', 'access.grant', 'access.end', 'key.create', 'key.revoke', 'identity.block', 'identity.unblock'],
    until: 'period',
    columns: ['grant', 'key', 'subject', 'groups', 'target', 'minutes', 'expiresAt', 'actor', 'proof', 'reason'],
  },
  {
    file: 'populations/policy-changes.csv',
    types: ['policy.activate'],
    until: 'period',
    columns: ['policy', 'previous', 'by', 'request'],
  },
  {
    file: 'populations/findings.csv',
    types: ['finding', 'finding.dispose'],
    until: 'period',
    columns: ['finding', 'detector', 'version', 'severity', 'sessionIds', 'summary', 'actor', 'proof', 'state', 'reason'],
  },
  {
    file: 'populations/operations.csv',
    types: [
      'gateway.start',
      'gateway.stop',
      'recording.failed',
      'session.recover',
      'session.kill',
      'auth.fail',
      'clock',
      'reconcile',
    ],
    until: 'period',
    columns: [
      'session',
      'version',
      'node',
      'policy',
      'reason',
      'what',
      'outcome',
      'frames',
      'recovered',
      'actor',
      'count',
      'stepMs',
    ],
  },
  {
    file: 'custody/custody.csv',
    types: [
      'evidence.view',
      'evidence.search',
      'evidence.follow',
      'evidence.verify',
      'console.sign-in',
      'console.sign-out',
      'export.ask',
      'export.create',
      'summary.ask',
      'hold.set',
      'hold.clear',
      'retention.delete',
      'case.change',
      'search.save',
      'search.remove',
    ],
    until: 'watermark',
    columns: [
      'actor',
      'proof',
      'purpose',
      'what',
      'session',
      'sessionIds',
      'frames',
      'first',
      'last',
      'object',
      'from',
      'to',
      'approval',
      'request',
      'approvedBy',
      'query',
      'found',
      'format',
      'sha256',
      'matter',
      'rule',
      'reason',
      'client',
      'case',
      'act',
      'frame',
      'finding',
      'title',
      'search',
      'name',
      'shared',
      'with',
      'verdict',
      'tapes',
      'problems',
      'host',
      'model',
      'bytes',
      'statements',
    ],
  },
]

export function tableHead({ columns }: LogTable): readonly string[] {
  return [...FIRST, ...columns.map(snake)]
}

/** Undefined where the entry has no row in this table. */
export function tableRow(table: LogTable, { index, statement, within }: PeriodEntry): readonly CsvCell[] | undefined {
  if (!table.types.includes(statement.type) || (table.until === 'period' && !within)) return undefined
  const { at, gateway, type } = statement
  return [index, at, gateway, type, ...table.columns.map((column) => cellOf(statement[column]))]
}

function cellOf(value: unknown): CsvCell {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(' ')
  return JSON.stringify(value)
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
