import type { SessionDetail, StatementRow } from '../../schemas/api.ts'
import type { Act } from '../../schemas/verdict.ts'

// Statements as events of OCSF 1.8 (https://schema.ocsf.io/1.8.0): Datastore Activity, API Activity, Process Activity.

export const OCSF_VERSION = '1.8.0'

const CLASSES = {
  postgres: { class_uid: 6005, class_name: 'Datastore Activity', category_uid: 6, category_name: 'Application Activity' },
  http: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
  egress: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
  kubernetes: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
  ssh: { class_uid: 1007, class_name: 'Process Activity', category_uid: 1, category_name: 'System Activity' },
  echo: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
} as const

/** security_control: what was done about it, and how it ended. */
const CONTROLS: Readonly<Record<Act, { readonly action_id: number; readonly disposition_id: number }>> = {
  allow: { action_id: 1, disposition_id: 1 },
  mask: { action_id: 4, disposition_id: 11 },
  block: { action_id: 2, disposition_id: 2 },
  hold: { action_id: 3, disposition_id: 14 },
}

/** Activities of Datastore Activity by a statement's first word. */
const DATASTORE: Readonly<Record<string, number>> = {
  SELECT: 4,
  WITH: 4,
  TABLE: 4,
  VALUES: 4,
  INSERT: 5,
  COPY: 1,
  UPDATE: 2,
  MERGE: 2,
  DELETE: 7,
  TRUNCATE: 7,
}
const OTHER = 99

/** One event; times in milliseconds since 1970. Masked as recorded. What the schema has no name for is in `unmapped`, with the frames it is from. */
export function ocsfEvent(
  session: SessionDetail,
  row: StatementRow,
  product: string,
  derived: string,
): Readonly<Record<string, unknown>> {
  const kind = CLASSES[session.target.protocol]
  const time = Math.round(Date.parse(session.startedAt) + row.atUs / 1000)
  const activity_id = activityOf(session.target.protocol, row)
  const { action_id, disposition_id } = CONTROLS[row.verdict ?? 'allow']
  const failed = row.outcome === 'error' || row.outcome === 'refused' || row.outcome === 'cut'
  const actor = {
    user: {
      name: session.identity.subject,
      type: session.identity.kind,
      groups: session.identity.groups.map((name) => ({ name })),
    },
  }
  const endpoints = { src_endpoint: endpointOf(session.client), dst_endpoint: { name: session.target.name } }
  return {
    ...kind,
    activity_id,
    type_uid: kind.class_uid * 100 + activity_id,
    severity_id: row.verdict === 'block' ? 3 : row.verdict === 'hold' ? 2 : 1,
    status_id: row.outcome === 'running' || row.outcome === 'sent' ? 0 : failed ? 2 : 1,
    time,
    ...(row.durationUs === null ? {} : { duration: Math.round(row.durationUs / 1000) }),
    message: `${row.kind} ${row.outcome}`,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Sallyport', vendor_name: 'Sallyport', version: product },
      profiles: ['security_control'],
      uid: placeOf(row),
      correlation_uid: row.session,
    },
    action_id,
    disposition_id,
    actor,
    // Process Activity has no place for them.
    ...(session.target.protocol === 'ssh' ? {} : endpoints),
    ...detailOf(session, row),
    unmapped: {
      session: row.session,
      frames: [row.frame, row.lastFrame ?? row.frame],
      rows: row.rows,
      bytes_out: row.bytesOut,
      masked: row.masked,
      rules: row.rules,
      ...(row.approval === null ? {} : { approval: row.approval }),
      ...(session.target.protocol === 'ssh' ? endpoints : {}),
      derived,
    },
  }
}

/** Where in the recording it is. */
function placeOf({ session, frame, part }: StatementRow): string {
  return `${session}:${frame}.${part}`
}

function activityOf(protocol: keyof typeof CLASSES, row: StatementRow): number {
  // Launch.
  if (protocol === 'ssh') return 1
  if (protocol !== 'postgres') return OTHER
  const word = /^[\s(]*([A-Za-z]+)/.exec(row.text)?.[1]?.toUpperCase() ?? ''
  return DATASTORE[word] ?? OTHER
}

function detailOf({ target }: SessionDetail, row: StatementRow): Readonly<Record<string, unknown>> {
  switch (target.protocol) {
    case 'postgres':
      return {
        type_id: 1,
        database: { name: target.database ?? target.name, type_id: 1 },
        query_info: { uid: placeOf(row), query_string: row.text, bytes: row.bytesOut },
      }
    case 'ssh':
      return { process: { uid: placeOf(row), cmd_line: row.text }, device: { hostname: target.name, type_id: 1 } }
    case 'egress':
    case 'http':
    case 'kubernetes':
    case 'echo':
      return { api: { operation: row.text.slice(0, 2048) } }
    default:
      return target.protocol satisfies never
  }
}

/** `address:port`, `[v6]:port`. */
function endpointOf(client: string): Readonly<Record<string, unknown>> {
  const [, address = client, port] = /^\[?(.*?)\]?:(\d+)$/.exec(client) ?? []
  return { ip: address, ...(port === undefined ? {} : { port: Number(port) }) }
}
