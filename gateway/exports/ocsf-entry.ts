import type { LedgerStatement } from '../../schemas/verify/ledger-line.ts'
import { OCSF_VERSION } from './ocsf.ts'

/** An entry of the ledger, and how to find it again. */
export interface ToldEntry {
  /** SHA-256 of its line, hex: the same for each repetition, and different for each entry of every ledger. */
  readonly uid: string
  /** Its place in the ledger's tree; what `sallyport ledger proof` takes. */
  readonly index: number
  /** Whether a trusted key of a gateway has signed it. */
  readonly signed: boolean
  readonly statement: LedgerStatement
}

/** Of OCSF: 1 informational, 2 low, 3 medium, 4 high, 5 critical. */
type Severity = 1 | 2 | 3 | 4 | 5

const OF_FINDING: Readonly<Record<string, Severity>> = { info: 1, low: 2, medium: 3, high: 4, critical: 5 }
const OF_TYPE: Readonly<Record<string, Severity>> = {
  'auth.fail': 2,
  'session.kill': 3,
  'session.recover': 2,
  'identity.block': 3,
  'retention.delete': 3,
  'hold.clear': 2,
  clock: 2,
  'recording.failed': 4,
  'approval.break-glass': 4,
}

export function severityOf({ signed, statement }: ToldEntry): Severity {
  // Somebody wrote into the ledger who is none of ours.
  if (!signed) return 4
  if (statement.type === 'finding') return OF_FINDING[String(statement['severity'])] ?? 3
  return OF_TYPE[statement.type] ?? 1
}

/** Who did it, where somebody is named; otherwise the process that says so. */
export function actorOf({ gateway, ...rest }: LedgerStatement): string {
  for (const member of ['actor', 'identity', 'requester', 'subject', 'by']) {
    const value: unknown = rest[member]
    if (typeof value === 'string' && value !== '') return value
  }
  return gateway
}

/** Activities of API Activity by an entry type's last word; anything else is 99, other. */
const ACTIVITY: Readonly<Record<string, number>> = {
  open: 1,
  start: 1,
  create: 1,
  request: 1,
  grant: 1,
  set: 1,
  view: 2,
  search: 2,
  follow: 2,
  decide: 3,
  activate: 3,
  dispose: 3,
  delete: 4,
  revoke: 4,
  clear: 4,
}

/** One event: Detection Finding (2004) of a finding, API Activity (6003) of everything else. The whole entry is in `unmapped`. */
export function ocsfOfEntry(told: ToldEntry, product: string): Readonly<Record<string, unknown>> {
  const { uid, index, signed, statement } = told
  const isFinding = statement.type === 'finding'
  const activity_id = isFinding ? 1 : (ACTIVITY[statement.type.split('.').at(-1) ?? ''] ?? 99)
  const class_uid = isFinding ? 2004 : 6003
  const session = statement['session']
  return {
    class_uid,
    class_name: isFinding ? 'Detection Finding' : 'API Activity',
    category_uid: isFinding ? 2 : 6,
    category_name: isFinding ? 'Findings' : 'Application Activity',
    activity_id,
    type_uid: class_uid * 100 + activity_id,
    severity_id: severityOf(told),
    time: Date.parse(statement.at),
    message: statement.type,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Sallyport', vendor_name: 'Sallyport', version: product },
      profiles: [],
      uid,
      ...(typeof session === 'string' ? { correlation_uid: session } : {}),
    },
    ...(isFinding
      ? {
          finding_info: {
            uid: String(statement['finding']),
            title: String(statement['summary']),
            types: [String(statement['detector'])],
          },
        }
      : {
          actor: { user: { name: actorOf(statement) } },
          api: { operation: statement.type },
          src_endpoint: { name: statement.gateway },
        }),
    unmapped: { index, signed, entry: statement, derived: 'not evidence: the ledger is' },
  }
}
