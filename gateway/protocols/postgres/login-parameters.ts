import { ApplianceError } from '../../../schemas/errors.ts'

/** What must hold in every session, because statements are read under it: how quotes and bytes are to be understood. */
export const PINNED: ReadonlyMap<string, string> = new Map([
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
])

/** Same meaning as the pinned value, or a client's "I do not care" (libpq says SQL_ASCII in a C locale): overridden without a word. */
const SAME: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['client_encoding', new Set(['utf8', 'utf-8', "'utf-8'", "'utf8'", 'unicode', 'sql_ascii'])],
  ['standard_conforming_strings', new Set(['on', 'true', 'yes', '1', 't', 'y'])],
])

/** Change whose rights a session has, or what fires. As statements they pass the policy; here nothing would judge them. */
const STATEMENT_ONLY = new Set(['role', 'session_authorization', 'session_replication_role', 'dynamic_library_path'])
/** Protect the data while they are on: a client may ask for that at the start, and for nothing else. */
const PROTECTING = new Set(['row_security', 'default_transaction_read_only', 'transaction_read_only'])
const ON = /^(on|t|tr|tru|true|y|ye|yes|1)$/i

/** Not run-time parameters: the gateway decides them itself. */
const OWN = new Set(['user', 'database', 'replication'])

/**
 * The parameters of our startup packet: those of the client, with the gateway's user, the chosen database and the pinned
 * settings in place of the client's. Throws PROTOCOL_UNSUPPORTED, naming the setting, where the client asks for another value
 * of a pinned one or for a setting that must be a statement.
 */
export function upstreamParameters(
  client: ReadonlyMap<string, string>,
  own: { readonly user: string; readonly database: string },
): readonly (readonly [string, string])[] {
  const passed: (readonly [string, string])[] = []
  for (const [name, value] of client) {
    // The server takes these three names as they are written and all others in any case.
    if (OWN.has(name)) continue
    if (name === 'options') {
      for (const setting of readOptions(value)) check(...setting)
    } else {
      check(name, value)
      if (PINNED.has(name.toLowerCase())) continue
    }
    passed.push([name, value])
  }
  // The pinned ones last: the server applies `options` first and then the parameters in their order, and the last one holds.
  return [['user', own.user], ['database', own.database], ...passed, ...PINNED]
}

/** What a connection says of itself and changes nothing by. */
const SAYS_ONLY = new Set([...OWN, 'application_name'])

/** The settings a client begins with, as `name=value`, in an order of their own: with others a statement may mean something else. */
export function startupSettings(client: ReadonlyMap<string, string>): readonly string[] {
  return [...client]
    .filter(([name]) => !SAYS_ONLY.has(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
}

function check(name: string, value: string): void {
  const key = name.toLowerCase()
  const pinned = PINNED.get(key)
  if (pinned !== undefined && !SAME.get(key)?.has(value.toLowerCase())) {
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      `${key} is ${pinned} in every session of this gateway; do not ask for another value`,
    )
  }
  if (STATEMENT_ONLY.has(key) || key.endsWith('_preload_libraries') || (PROTECTING.has(key) && !ON.test(value))) {
    throw new ApplianceError(
      'PROTOCOL_UNSUPPORTED',
      `${key} is not taken at connection start; run SET in the session, where policy sees it`,
    )
  }
}

/**
 * Settings in the `options` parameter: `-c name=value` or `--name=value`, parted by white space, a backslash before what is
 * to be taken as it is (manual, `options` of libpq). Other switches of the server are refused: they can be bundled with `-c`.
 */
export function readOptions(options: string): readonly (readonly [name: string, value: string])[] {
  const words = [...options.matchAll(/(?:\\[\s\S]|[^\s\\])+/g)].map(([word]) => word.replace(/\\([\s\S])/g, '$1'))
  const settings: (readonly [string, string])[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const text = word === '-c' || word === '--' ? (words[++at] ?? '') : /^(?:-c|--)/.test(word) ? word.slice(2) : ''
    const equals = text.indexOf('=')
    if (equals < 1)
      throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'options may hold settings only: -c name=value or --name=value')
    settings.push([text.slice(0, equals).replaceAll('-', '_'), text.slice(equals + 1)])
  }
  return settings
}
