import { MAX_REASON_CHARS } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { samePerson } from '../../schemas/session.ts'
import { loadConfig, type Settings } from '../config.ts'
import { BlockedSubjects } from '../identity/blocked.ts'
import { openShared } from '../shared.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'
import { callerOf } from './prove-caller.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

/** Keeps somebody out whatever they prove, or lets them in again. The ledger is told first: nobody is let in unnoticed. */
export async function changeIdentity(
  act: 'block' | 'unblock',
  subject: string,
  options: Options & { readonly reason: string; readonly keyFile?: string },
  cli: Cli,
): Promise<number> {
  const { reason } = options
  // Before anything is told or done.
  if (reason.trim() === '' || reason.length > MAX_REASON_CHARS)
    throw new ApplianceError('CONFIG_INVALID', `--reason: 1 to ${MAX_REASON_CHARS} characters`)
  const settings = await loadConfig(findConfig(options.config, cli), cli.env, 'store')
  const { actor } = await callerOf(settings, options.keyFile, cli)
  await using shared = await openShared(settings, cli.env)
  const blocked = new BlockedSubjects(shared.records('blocked'))
  // Out at once; in only once it is noted.
  if (act === 'unblock') await tellLedger(settings, { type: 'identity.unblock', subject, actor, reason })
  const changed = await blocked.change(act, subject, reason)
  if (act === 'block') await tellLedger(settings, { type: 'identity.block', subject, actor, reason })
  const known = isConfigured(settings, subject)
  if (options.json) printJson(cli, { subject, blocked: act === 'block', changed, configured: known })
  else if (act === 'block')
    cli.err(`${safeText(subject)} is kept out, and who acts for them; open sessions end within a second or two\n`)
  else if (changed) cli.err(`${safeText(subject)} may come in again\n`)
  else cli.err(`${safeText(subject)} was not kept out; see \`sallyport identities list\`\n`)
  if (act === 'block' && !known) cli.err(`warning: ${unknownWhy(settings)}\n`)
  return EXIT.ok
}

function isConfigured({ identities }: Settings, subject: string): boolean {
  const person = samePerson(subject)
  return identities.some((each) =>
    [each.subject, each.principal].some((name) => name !== undefined && samePerson(name) === person),
  )
}

/** A name that keeps nobody out looks like one that does. */
function unknownWhy({ jwt, console: settings }: Settings): string {
  const issuers = [...jwt, settings?.signIn?.oidc, settings?.signIn?.saml].filter((each) => each !== undefined)
  if (issuers.length === 0) return 'nobody of that name is configured, so it keeps nobody out: is it misspelt?'
  const prefixes = [...new Set(issuers.flatMap(({ subjectPrefix = '' }) => (subjectPrefix === '' ? [] : [subjectPrefix])))]
  const begin = prefixes.length === 0 ? '' : ` (issuers here put ${prefixes.join(' or ')} before it)`
  return `nobody of that name is configured; of people an issuer names give the whole subject as \`sallyport sessions\` shows it${begin}`
}

/** Who is kept out. */
export async function listBlocked(options: Options, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli))
  await using shared = await openShared(settings, cli.env)
  const rows = await new BlockedSubjects(shared.records('blocked')).list()
  if (options.json) printJson(cli, rows)
  else if (rows.length === 0) cli.err('nobody is kept out\n')
  else cli.out(table([['SUBJECT', 'SINCE', 'REASON'], ...rows.map(({ subject, at, reason }) => [subject, at, reason])]))
  return EXIT.ok
}
