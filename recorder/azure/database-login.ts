import type pg from 'pg'
import { ApplianceError } from '../../schemas/errors.ts'
import { type AzureIdentity, tokensOf } from './identity.ts'

const DEFAULT_PORT = 5432
/** Of Azure Database for PostgreSQL. */
const DATABASE_SCOPE = 'https://ossrdbms-aad.database.windows.net/.default'

export interface ServerPlace {
  readonly url: string
  /** Whose token is the password. */
  readonly identity?: AzureIdentity
}

/**
 * How the driver logs in. With an identity each new connection gets a token that has life left; open ones stay good however old
 * theirs is. Not as a connection string then: what the driver reads in one, an empty password too, takes the place of what is beside it.
 * Rejects CONFIG_INVALID, after the name of the setting.
 */
export async function loginOf({ url, identity }: ServerPlace, setting: string): Promise<pg.PoolConfig> {
  if (identity === undefined) return { connectionString: url }
  const { hostname, port, username, pathname, searchParams, password } = new URL(url)
  if (password !== '') throw new ApplianceError('CONFIG_INVALID', `${setting}: either a password or managedIdentity: give one`)
  const sslmode = searchParams.get('sslmode') ?? 'verify-full'
  // A token is as good as a password, at every server that takes it.
  if (sslmode !== 'verify-full' && !isLoopback(hostname))
    throw new ApplianceError('CONFIG_INVALID', `${setting}: a token is sent with sslmode=verify-full only`)
  const tokens = await tokensOf(identity)
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORT : Number(port),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    password: async () => (await tokens.getToken(DATABASE_SCOPE)).token,
    ssl: sslmode === 'verify-full',
  }
}

/**
 * What is wrong with the URL of a database that has to be verified; undefined: nothing, or it is on this machine (a loopback address
 * or a Unix socket). Without the URL's text, which may hold a password.
 */
export function mistakeIn({ url, identity }: ServerPlace): string | undefined {
  if (!URL.canParse(url)) return 'it is no URL like postgres://user:password@host/database?sslmode=verify-full'
  const { protocol, hostname, searchParams, password } = new URL(url)
  if (!/^postgres(ql)?:$/.test(protocol)) return 'it does not begin with postgres://'
  if (identity !== undefined && password !== '') return 'either a password or managedIdentity: give one'
  // As the driver reads it: the last counts, and a host of the parameters before the other.
  const host = searchParams.getAll('host').at(-1) ?? hostname
  const sslmode = searchParams.getAll('sslmode').at(-1) ?? (identity === undefined ? 'disable' : 'verify-full')
  if (sslmode === 'verify-full' || /^(\/|%2f)/i.test(host) || isLoopback(host)) return undefined
  return 'passwords, evidence and decisions pass over verified TLS only: add sslmode=verify-full'
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host)
}
