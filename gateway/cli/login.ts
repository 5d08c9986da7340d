import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { codeOf } from '../../recorder/files.ts'
import { API_BASE, SignInLogin, SignInWays } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { expiryOf } from '../identity/jwt.ts'
import { isPrivate, renewed, signInByDevice, withOffline } from '../identity/oidc.ts'
import { type Cli, EXIT, printJson } from './context.ts'

/** A token that has less than this to live is renewed: whoever gets it still has to show it. */
const RENEW_MS = 120_000
const ASK_TIMEOUT_MS = 10_000

const Login = Type.Object({
  console: Type.String(),
  login: SignInLogin,
  idToken: Type.String(),
  refreshToken: Type.Optional(Type.String()),
})
type Login = Static<typeof Login>
const loginChecker = Compile(Login)
const waysChecker = Compile(SignInWays)

export interface TokenOptions {
  readonly execCredential?: true
  readonly pgpass?: string
}

/** Signs in by the device flow at the issuer a console names, and keeps the tokens for `sallyport token` (0600). */
export async function login(url: string, cli: Cli): Promise<number> {
  const console = url.replace(/\/$/, '')
  // Whoever is on the way could name an issuer of their own.
  if (!isPrivate(console))
    throw new ApplianceError('CONFIG_INVALID', `${safeText(console)}: a console is asked over https, or http on this machine`)
  const way = await loginAt(console)
  const tokens = await signInByDevice({ ...way, scope: withOffline(way.scope) }, ({ completeUrl: at, code }) =>
    cli.err(`open ${safeText(at)}\nand confirm the code ${safeText(code)}; waiting ...\n`),
  )
  await keep({ console, login: way, ...tokens }, cli)
  cli.err(`signed in at ${safeText(way.issuer)}; \`sallyport token\` prints the token\n`)
  return EXIT.ok
}

/** Prints the token, renewed where it has to be; in the shape that kubectl or libpq takes it. */
export async function token({ execCredential, pgpass }: TokenOptions, cli: Cli): Promise<number> {
  const kept = await fresh(cli)
  const { idToken } = kept
  if (pgpass !== undefined) await writePrivately(resolve(cli.cwd, pgpass), `*:*:*:*:${idToken.replaceAll(/[\\:]/g, '\\$&')}\n`)
  else if (execCredential === true) {
    const expirationTimestamp = new Date(expiryOf(idToken) ?? Date.now()).toISOString()
    printJson(cli, {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: idToken, expirationTimestamp },
    })
  } else cli.out(`${idToken}\n`)
  return EXIT.ok
}

async function fresh(cli: Cli): Promise<Login> {
  const kept = await read(cli)
  if ((expiryOf(kept.idToken) ?? 0) - Date.now() > RENEW_MS) return kept
  if (kept.refreshToken === undefined)
    throw new ApplianceError('AUTH_REQUIRED', `the token has run out; sign in again: sallyport login ${kept.console}`)
  const next = { ...kept, ...(await renewed(kept.login, kept.refreshToken)) }
  await keep(next, cli)
  return next
}

/** Whom the console lets sign people in. Rejects AUTH_UNAVAILABLE. */
async function loginAt(console: string): Promise<SignInLogin> {
  let ways: unknown
  try {
    const answer = await fetch(`${console}${API_BASE}/sign-in`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
      redirect: 'error',
    })
    ways = await answer.json()
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error'
    throw new ApplianceError('AUTH_UNAVAILABLE', `${console} cannot be asked: ${why}`)
  }
  const way = waysChecker.Check(ways) ? ways.ways.find(({ login: each }) => each !== undefined)?.login : undefined
  if (way === undefined)
    throw new ApplianceError('AUTH_UNAVAILABLE', `${console} has no issuer that a terminal could sign in at; use an access key`)
  return way
}

function placeOf({ env }: Cli): string {
  const { XDG_CONFIG_HOME: config, HOME: home } = env
  if (config !== undefined && config !== '') return join(config, 'sallyport', 'login.json')
  if (home === undefined)
    throw new ApplianceError('CONFIG_INVALID', 'neither XDG_CONFIG_HOME nor HOME is set: nowhere to keep the token')
  return join(home, '.config', 'sallyport', 'login.json')
}

async function read(cli: Cli): Promise<Login> {
  const value = parsed(await readFile(placeOf(cli), 'utf8').catch(nobody))
  if (!loginChecker.Check(value)) throw new ApplianceError('AUTH_REQUIRED', 'nobody is signed in here: sallyport login <console>')
  return value
}

/** A file that is not there is nobody's; one that cannot be read is a fault to be told. */
function nobody(error: unknown): string {
  if (codeOf(error) === 'ENOENT') return ''
  throw error
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function keep(value: Login, cli: Cli): Promise<void> {
  return writePrivately(placeOf(cli), JSON.stringify(value))
}

/** Whole or not at all, and for nobody else to read. */
async function writePrivately(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const half = `${path}.${process.pid}.tmp`
  await writeFile(half, text, { mode: 0o600 })
  await rename(half, path)
}
