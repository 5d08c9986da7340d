import { ApplianceError } from '../../../schemas/errors.ts'
import { attributionOf } from '../../identity/attribution.ts'
import { readOptions } from './login-parameters.ts'
import { NEWEST_MINOR, type StartupPacket, type Version } from './startup-packet.ts'

type StartupRequest = Extract<StartupPacket, { kind: 'startup' }>

/** What a client asked for, checked. */
export interface Startup {
  /** The version spoken with this client: what it asked for, or our newest where it asked for more. */
  readonly version: Version
  /** As sent, without protocol options. */
  readonly parameters: ReadonlyMap<string, string>
  /** The name after `database`, or after `user` where there is none, as in the server. */
  readonly database: string
  /** What the client says of itself, for the tape; unproved. */
  readonly claims: Readonly<Record<string, string>>
  /** The startup packet as it came, length field included. */
  readonly received: Uint8Array
}

/** Spellings of "off" that a client may give `replication` (parse_bool of the server). */
const NO_REPLICATION = /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/i

/** Throws PROTOCOL_MALFORMED without a user, PROTOCOL_UNSUPPORTED for replication. */
export function checkStartup(packet: StartupRequest, received: Uint8Array): Startup {
  const { parameters } = packet
  const user = parameters.get('user')
  if (user === undefined || user === '') {
    throw new ApplianceError('PROTOCOL_MALFORMED', 'no PostgreSQL user name specified in startup packet')
  }
  const replication = parameters.get('replication')
  if (replication !== undefined && !NO_REPLICATION.test(replication)) {
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      'replication connections are not let through: their stream cannot be inspected',
    )
  }
  const version = { major: 3, minor: Math.min(packet.version.minor, NEWEST_MINOR) }
  const application = parameters.get('application_name')
  return {
    version,
    parameters,
    database: parameters.get('database') || user,
    claims: {
      user,
      version: `${packet.version.major}.${packet.version.minor}`,
      ...(application === undefined ? {} : { application_name: application }),
      ...workOf(parameters),
    },
    received: Uint8Array.from(received),
  }
}

/**
 * What the work is, as `-c sallyport.run=...`, `sallyport.purpose` and `sallyport.traceparent` in `options`, or as parameters of these names. They
 * go to the server too, which takes any setting with a dot in its name for somebody else's.
 */
function workOf(parameters: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const settings = new Map([...optionsIn(parameters.get('options') ?? ''), ...parameters])
  const setting = (name: string): string | undefined => settings.get(`sallyport.${name}`)
  return attributionOf({ run: setting('run'), purpose: setting('purpose'), traceparent: setting('traceparent') })
}

/** What cannot be read is refused where the login is made, in words of its own. */
function optionsIn(options: string): ReturnType<typeof readOptions> {
  try {
    return readOptions(options)
  } catch {
    return []
  }
}

/** `<target>` or `<target>/<database>`: the target's name has no slash, the database's may. */
export function parseTarget(startup: Startup): { readonly target: string; readonly database?: string } {
  const slash = startup.database.indexOf('/')
  if (slash < 0) return { target: startup.database }
  const target = startup.database.slice(0, slash)
  const database = startup.database.slice(slash + 1)
  if (target === '' || database === '') {
    throw new ApplianceError('TARGET_UNKNOWN', 'the database name must be <target> or <target>/<database>')
  }
  return { target, database }
}

/**
 * NegotiateProtocolVersion, where the client asked for a newer minor version or for protocol options: we know none.
 * undefined where all it asked for is given.
 */
export function negotiation(packet: StartupRequest): Uint8Array | undefined {
  if (packet.version.minor <= NEWEST_MINOR && packet.options.length === 0) return undefined
  const names = Buffer.from(packet.options.map((name) => `${name}\0`).join(''))
  const head = Buffer.alloc(13)
  head.write('v', 0, 'latin1')
  head.writeUInt32BE(12 + names.length, 1)
  // The whole version number, not only the minor: that is what the server sends and libpq compares.
  head.writeUInt16BE(3, 5)
  head.writeUInt16BE(Math.min(packet.version.minor, NEWEST_MINOR), 7)
  head.writeUInt32BE(packet.options.length, 9)
  return Buffer.concat([head, names])
}
