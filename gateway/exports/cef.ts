import { actorOf, severityOf, type ToldEntry } from './ocsf-entry.ts'

/** Collectors cut what is longer than a few KiB, and do not say so. */
const MAX_MESSAGE_CHARS = 4_000
/** Facility 13 (log audit); severities of syslog by those of OCSF. */
const FACILITY = 13
const SYSLOG_SEVERITY = [6, 6, 5, 4, 3, 2] as const

/** An entry as CEF in a syslog message (RFC 5424), without a frame. The entry is `msg`, cut where it is long; `externalId` finds the whole. */
export function cefMessage(told: ToldEntry, product: string, host: string): string {
  const { uid, index, signed, statement } = told
  const severity = severityOf(told)
  const whole = JSON.stringify(statement)
  const session = statement['session']
  const extension = {
    rt: String(Date.parse(statement.at)),
    externalId: uid,
    dvchost: statement.gateway,
    suser: actorOf(statement),
    ...(typeof session === 'string' ? { cs1Label: 'session', cs1: session } : {}),
    cn1Label: 'index',
    cn1: String(index),
    cs2Label: 'signed',
    cs2: String(signed),
    msg: whole.length > MAX_MESSAGE_CHARS ? `${whole.slice(0, MAX_MESSAGE_CHARS)} (cut: ${whole.length} characters)` : whole,
  }
  const pairs = Object.entries(extension).map(([name, value]) => `${name}=${value.replace(/[\\=\r\n]/g, escaped)}`)
  const head = ['Sallyport', 'Sallyport', product, statement.type, statement.type].map((part) =>
    part.replace(/[\r\n]/g, ' ').replace(/[\\|]/g, '\\$&'),
  )
  const priority = FACILITY * 8 + SYSLOG_SEVERITY[severity]
  // Of CEF: 0 to 10.
  return `<${priority}>1 ${statement.at} ${host} sallyport - - - CEF:0|${head.join('|')}|${severity * 2}|${pairs.join(' ')}`
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : character === '\r' ? '\\r' : `\\${character}`
}
