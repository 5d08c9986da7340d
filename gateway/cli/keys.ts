import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { loadConfig, type Settings } from '../config.ts'
import { type AccessKey, hasExpired } from '../identity/access-key.ts'
import { AccessKeys } from '../identity/access-keys.ts'
import { scopeProblem } from '../policy/token-scope.ts'
import { openShared } from '../shared.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

export interface KeyOptions extends Options {
  readonly expires?: string
  readonly target?: readonly string[]
  readonly verb?: readonly string[]
  readonly run?: string
  readonly purpose?: string
}

/** Longer ones are keys. */
const MAX_TOKEN_MS = 24 * 3_600_000

/** A key that ends soon and opens little: for an agent's one piece of work. */
export async function createToken(subject: string, options: KeyOptions & { readonly ttl: string }, cli: Cli): Promise<number> {
  const expires = expiryOf(options.ttl, Date.now())
  if (expires.getTime() > Date.now() + MAX_TOKEN_MS)
    throw new ApplianceError('CONFIG_INVALID', `--ttl ${options.ttl}: a token lives a day at most; for longer make a key`)
  return createKey(subject, { ...options, expires: expires.toISOString() }, cli)
}

export async function createKey(subject: string, options: KeyOptions, cli: Cli): Promise<number> {
  await using opened = await openKeys(options, cli, cli.env)
  const { settings, keys } = opened
  if (!settings.identities.some((identity) => identity.subject === subject)) {
    const known = settings.identities.map((identity) => identity.subject).join(', ')
    throw new ApplianceError(
      'CONFIG_INVALID',
      `no identity ${JSON.stringify(subject)} is configured, so its key could open nothing; known: ${known}`,
    )
  }
  const expiresAt = options.expires === undefined ? undefined : expiryOf(options.expires, Date.now())
  const { target: targets, verb, run, purpose } = options
  const unknown = targets?.find((name) => !settings.targets.has(name))
  if (unknown !== undefined) throw new ApplianceError('CONFIG_INVALID', `no target ${JSON.stringify(unknown)} is configured`)
  const verbs = verb?.map((each) => each.toUpperCase())
  const reached = [...settings.targets].flatMap(([name, { target }]) =>
    targets?.includes(name) === false ? [] : [target.protocol],
  )
  const problem = scopeProblem(verbs ?? [], reached)
  if (problem !== undefined) throw new ApplianceError('CONFIG_INVALID', `--verb: ${problem}`)
  const scope = { ...(targets === undefined ? {} : { targets }), ...(verbs === undefined ? {} : { verbs }) }
  const about = { ...(run === undefined ? {} : { run }), ...(purpose === undefined ? {} : { purpose }) }
  const { key, secret } = await keys.create(subject, expiresAt, {
    ...(Object.keys(scope).length === 0 ? {} : { scope }),
    ...about,
  })
  try {
    const until = key.expiresAt === undefined ? {} : { expiresAt: key.expiresAt }
    const opens = { ...(targets === undefined ? {} : { targets: [...targets] }), ...(verbs === undefined ? {} : { verbs }) }
    await tellLedger(settings, { type: 'key.create', key: key.id, subject, ...until, ...opens, ...about })
  } catch (error) {
    // A key that the ledger does not know opens nothing.
    await keys.revoke(key.id)
    throw error
  }
  if (options.json) {
    const { id, createdAt, expiresAt: until = null } = key
    printJson(cli, { id, subject, key: secret, createdAt, expiresAt: until, ...scope, ...about })
  } else {
    cli.err(
      `access key ${key.id} for ${safeText(subject)}${key.expiresAt === undefined ? '' : `, until ${key.expiresAt}`}; it is shown only now:\n`,
    )
    cli.out(`${secret}\n`)
  }
  return EXIT.ok
}

export async function listKeys(options: Options, cli: Cli): Promise<number> {
  await using opened = await openKeys(options, cli)
  const { settings, keys } = opened
  const configured = settings.identities.flatMap(({ subject, keys = [] }) =>
    keys.map(({ id, expires }) => ({ id, subject, where: 'config', ...(expires ? { expiresAt: expires } : {}) })),
  )
  const kept = (await keys.list()).map(({ sha256: _, ...key }) => ({ ...key, where: 'keys' }))
  const now = Date.now()
  const rows = [...configured, ...kept].map((key) => ({ ...key, state: stateOf(key, now) }))
  if (options.json) printJson(cli, rows)
  else
    cli.out(
      table([
        ['ID', 'SUBJECT', 'STATE', 'EXPIRES', 'FROM'],
        ...rows.map(({ id, subject, state, where, ...key }) => [id, subject, state, key.expiresAt ?? '-', where]),
      ]),
    )
  return EXIT.ok
}

export async function revokeKey(id: string, options: Options, cli: Cli): Promise<number> {
  await using opened = await openKeys(options, cli, cli.env)
  const { settings, keys } = opened
  if (settings.identities.some(({ keys = [] }) => keys.some((key) => key.id === id))) {
    throw new ApplianceError('CONFIG_INVALID', `key ${id} stands in ${settings.file}: remove it there and restart`)
  }
  await keys.revoke(id)
  await tellLedger(settings, { type: 'key.revoke', key: id })
  if (options.json) printJson(cli, { id, state: 'revoked' })
  else cli.err(`access key ${id} is revoked; its open sessions end within a second or two\n`)
  return EXIT.ok
}

/** `90d`, `12h`, `30m` from now, or an ISO date; always in the future. Throws CONFIG_INVALID. */
export function expiryOf(text: string, nowMs: number): Date {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  const atMs = count === undefined ? Date.parse(text) : nowMs + Number(count) * (UNITS_MS[unit] ?? Number.NaN)
  if (!Number.isFinite(atMs) || atMs <= nowMs) {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `--expires ${JSON.stringify(text)}: neither a time from now (90d, 12h, 30m) nor an ISO date in the future`,
    )
  }
  return new Date(atMs)
}

/** With `env`, the ledger can be told. */
async function openKeys(
  options: Options,
  cli: Cli,
  env?: Cli['env'],
): Promise<{ readonly settings: Settings; readonly keys: AccessKeys } & AsyncDisposable> {
  const settings = await loadConfig(findConfig(options.config, cli), env, 'store')
  const shared = await openShared(settings, cli.env)
  return {
    settings,
    keys: new AccessKeys(shared.records('accessKeys')),
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  }
}

function stateOf(key: Pick<AccessKey, 'expiresAt' | 'revokedAt'>, nowMs: number): 'active' | 'revoked' | 'expired' {
  if (key.revokedAt !== undefined) return 'revoked'
  return hasExpired(key, nowMs) ? 'expired' : 'active'
}
