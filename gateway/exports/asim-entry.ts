import { actorOf, severityOf, type ToldEntry } from './ocsf-entry.ts'

/** Types of Audit Event 0.1.2 by an entry type's last word; anything else is Other. */
const TYPES: Readonly<Record<string, string>> = {
  open: 'Start',
  start: 'Start',
  close: 'Stop',
  stop: 'Stop',
  end: 'Stop',
  kill: 'Stop',
  create: 'Create',
  request: 'Create',
  grant: 'Create',
  set: 'Set',
  activate: 'Set',
  decide: 'Set',
  dispose: 'Set',
  view: 'Read',
  search: 'Read',
  follow: 'Read',
  delete: 'Delete',
  revoke: 'Delete',
  clear: 'Clear',
  block: 'Disable',
  unblock: 'Enable',
}
const FAILURES: ReadonlySet<string> = new Set(['auth.fail', 'recording.failed', 'approval.decision-failed'])
/** By severities of OCSF. */
const SEVERITIES = ['Informational', 'Informational', 'Low', 'Medium', 'High', 'High'] as const

/** One record of the table ASimAuditEventLogs; the whole entry is in `AdditionalFields`, `EventOriginalUid` is the same for each repetition. */
export function asimOfEntry(told: ToldEntry, product: string): Readonly<Record<string, unknown>> {
  const { uid, index, signed, statement } = told
  const { type, at, gateway } = statement
  const { target, session } = statement
  return {
    TimeGenerated: at,
    EventCount: 1,
    EventStartTime: at,
    EventEndTime: at,
    EventSchema: 'AuditEvent',
    EventSchemaVersion: '0.1.2',
    EventType: TYPES[type.split('.').at(-1) ?? ''] ?? 'Other',
    EventResult: FAILURES.has(type) ? 'Failure' : 'Success',
    EventSeverity: SEVERITIES[severityOf(told)],
    EventOriginalUid: uid,
    EventOriginalType: type,
    EventProduct: 'Sallyport',
    EventProductVersion: product,
    EventVendor: 'Sallyport',
    Dvc: gateway,
    DvcHostname: gateway,
    Operation: type,
    Object: typeof target === 'string' ? target : typeof session === 'string' ? session : type,
    ObjectType: 'Other',
    ActorUsername: actorOf(statement),
    ActorUsernameType: 'Simple',
    ...(typeof session === 'string' ? { ActorSessionId: session } : {}),
    AdditionalFields: { index, signed, entry: statement, derived: 'not evidence: the ledger is' },
  }
}
