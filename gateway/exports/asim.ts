import type { SessionDetail, StatementRow } from '../../schemas/api.ts'

// Statements in the words of Microsoft Sentinel's information model: Audit Event 0.1.2 (databases, for which it has no schema of their own), Web Session
// 0.2.7, Process Event 0.1.4. https://learn.microsoft.com/azure/sentinel/normalization-about-schemas

/** What all schemas ask for. */
interface Common {
  readonly EventSchema: string
  readonly EventSchemaVersion: string
  readonly EventType: string
}

/** Of Audit Event, by a statement's first word. */
const AUDIT_TYPES: Readonly<Record<string, string>> = {
  SELECT: 'Read',
  WITH: 'Read',
  TABLE: 'Read',
  VALUES: 'Read',
  COPY: 'Read',
  INSERT: 'Create',
  CREATE: 'Create',
  UPDATE: 'Set',
  MERGE: 'Set',
  ALTER: 'Set',
  DELETE: 'Delete',
  DROP: 'Delete',
  TRUNCATE: 'Clear',
}
const FAILED: ReadonlySet<StatementRow['outcome']> = new Set(['error', 'refused', 'cut'])
/** A column of Log Analytics keeps 32 KB of text at least in every kind of table. */
const MAX_TEXT_CHARS = 32_000

/** One event. Masked as recorded; what the model has no name for is in `AdditionalFields`. */
export function asimEvent(session: SessionDetail, row: StatementRow, derived: string): Readonly<Record<string, unknown>> {
  const startMs = Date.parse(session.startedAt) + row.atUs / 1_000
  const start = new Date(startMs).toISOString()
  const { identity, target } = session
  const [, address = session.client, port] = /^\[?(.*?)\]?:(\d+)$/.exec(session.client) ?? []
  return {
    TimeGenerated: start,
    EventCount: 1,
    EventStartTime: start,
    EventEndTime: new Date(startMs + (row.durationUs ?? 0) / 1_000).toISOString(),
    ...detailOf(session, row),
    EventResult: row.outcome === 'running' || row.outcome === 'sent' ? 'NA' : FAILED.has(row.outcome) ? 'Failure' : 'Success',
    EventSeverity: row.verdict === 'block' ? 'Medium' : row.verdict === 'hold' ? 'Low' : 'Informational',
    EventOriginalUid: `${row.session}:${row.frame}.${row.part}`,
    EventProduct: 'Sallyport',
    EventVendor: 'Sallyport',
    Dvc: session.gateway,
    DvcHostname: session.gateway,
    DvcAction: row.verdict === 'block' ? 'Deny' : 'Allow',
    ...(row.rules.length === 0 ? {} : { RuleName: row.rules.join(' ') }),
    ActorUsername: identity.subject,
    ActorUsernameType: 'Simple',
    ActorUserType: identity.kind === 'human' ? 'Regular' : 'Service',
    ActorSessionId: row.session,
    SrcIpAddr: address,
    ...(port === undefined ? {} : { SrcPortNumber: Number(port) }),
    DstHostname: target.name,
    Dst: target.name,
    AdditionalFields: {
      session: row.session,
      frames: [row.frame, row.lastFrame ?? row.frame],
      rows: row.rows,
      bytesOut: row.bytesOut,
      masked: row.masked,
      verdict: row.verdict ?? 'allow',
      ...(row.approval === null ? {} : { approval: row.approval }),
      ...(identity.principal === undefined ? {} : { principal: identity.principal }),
      derived,
    },
  }
}

function detailOf({ target, identity }: SessionDetail, row: StatementRow): Common & Readonly<Record<string, unknown>> {
  const text = row.text.slice(0, MAX_TEXT_CHARS)
  const [object = target.name] = row.objects
  switch (target.protocol) {
    case 'postgres':
    case 'echo': {
      const word = /^[\s(]*([A-Za-z]+)/.exec(row.text)?.[1]?.toUpperCase() ?? ''
      return {
        EventSchema: 'AuditEvent',
        EventSchemaVersion: '0.1.2',
        EventType: AUDIT_TYPES[word] ?? 'Execute',
        Operation: text,
        Object: object,
        ObjectType: 'Other',
        TargetAppName: target.database ?? target.name,
        TargetAppType: 'Service',
      }
    }
    case 'ssh':
      return {
        EventSchema: 'ProcessEvent',
        EventSchemaVersion: '0.1.4',
        EventType: 'ProcessCreated',
        TargetProcessCommandLine: text,
        TargetProcessName: text.split(/\s/, 1)[0] ?? '',
        // The gateway sees commands; what the machine calls them it does not.
        TargetProcessId: `${row.frame}.${row.part}`,
        TargetUsername: identity.subject,
        TargetUsernameType: 'Simple',
      }
    case 'http':
    case 'kubernetes':
    case 'egress': {
      const [line = ''] = text.split('\n', 1)
      const [method = '', where = ''] = line.split(' ')
      return {
        EventSchema: 'WebSession',
        EventSchemaVersion: '0.2.7',
        EventType: 'ApiRequest',
        HttpRequestMethod: method,
        Url: where.startsWith('/') ? `${target.name}${where}` : where,
        NetworkProtocol: 'TCP',
        DstBytes: row.bytesOut,
      }
    }
    default:
      return target.protocol satisfies never
  }
}
