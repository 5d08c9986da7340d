import { brokeGlass } from '../../recorder/desk/approval-log.ts'
import type { Approver, Desk, ListedApproval } from '../../recorder/desk/desk.ts'
import { similarTo } from '../../recorder/desk/similar.ts'
import type { Approval, ApprovalState, Decision } from '../../schemas/approval.ts'
import { safeBlock, safeText } from '../../schemas/safe-text.ts'
import type { Identity } from '../../schemas/session.ts'
import { loadConfig, type Settings } from '../config.ts'
import { mayBreakGlass } from '../identity/people.ts'
import { openShared } from '../shared.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'
import { proveCaller } from './prove-caller.ts'

export interface Options {
  readonly config?: string
  readonly json?: true
}

/** Of a command, in a list; `show` and `watch` have all of it. */
const LISTED_CHARS = 60

export async function listApprovals(
  options: Options & { readonly state?: ApprovalState; readonly all?: true; readonly unreviewed?: true },
  cli: Cli,
): Promise<number> {
  const { settings } = await configured(options, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk()
  const found = await desk.list(options.state === undefined ? {} : { state: options.state })
  const shown = options.unreviewed
    ? found.filter((each) => brokeGlass(each) && each.review === undefined)
    : options.state !== undefined || options.all
      ? found
      : found.filter(({ state }) => state === 'pending' || state === 'approved')
  if (options.json) printJson(cli, await Promise.all(shown.map((each) => wholeOf(each, desk))))
  else if (shown.length === 0) cli.err('nothing is waiting\n')
  else cli.out(table([['ID', 'STATE', 'ABOUT', 'REQUESTER', 'TARGET', 'EXPIRES', 'COMMAND'], ...shown.map(rowOf)]))
  return EXIT.ok
}

export async function showApproval(id: string, options: Options, cli: Cli): Promise<number> {
  const { settings } = await configured(options, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk()
  const approval = await desk.get(id)
  if (options.json) printJson(cli, approval)
  else cli.out(described(approval) + before(similarTo(approval, await desk.list())))
  return EXIT.ok
}

/** What was decided about the like, under a request. */
function before(similar: ReturnType<typeof similarTo>): string {
  if (similar.length === 0) return ''
  const lines = similar.map(({ id, state, requester, decisions, same }) => {
    const decided = decisions
      .map(({ act, by, reason }) => `${act} by ${by}${reason === undefined ? '' : `: ${reason}`}`)
      .join('; ')
    return `    ${id} ${state}${same ? ', the same text' : ''}, ${safeText(`${requester}; ${decided}`)}\n`
  })
  return `  decided before, about the like:\n${lines.join('')}`
}

export async function decideApproval(
  id: string,
  act: Decision['act'],
  options: Options & { readonly reason?: string; readonly keyFile?: string },
  cli: Cli,
): Promise<number> {
  const { settings } = await configured(options, cli, cli.env)
  const approver = await proveApprover(settings, 'who decides?', options.keyFile, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk({ append: (entry) => tellLedger(settings, entry) })
  const approval = await desk.decide(id, { act, ...(options.reason === undefined ? {} : { reason: options.reason }) }, approver)
  if (options.json) printJson(cli, approval)
  else cli.err(`${id} is ${approval.state}${missing(approval)}, decided by ${safeText(approver.subject)}\n`)
  return EXIT.ok
}

export async function reviewApproval(
  id: string,
  options: Options & { readonly note: string; readonly keyFile?: string },
  cli: Cli,
): Promise<number> {
  const { settings } = await configured(options, cli, cli.env)
  const reviewer = await proveApprover(settings, 'who reviews?', options.keyFile, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk({ append: (entry) => tellLedger(settings, entry) })
  const approval = await desk.review(id, options.note, reviewer)
  if (options.json) printJson(cli, approval)
  else
    cli.err(`${id} is reviewed by ${safeText(reviewer.subject)}
`)
  return EXIT.ok
}

export async function watchApprovals(options: Options, cli: Cli, signal: AbortSignal = interrupted()): Promise<number> {
  const { settings } = await configured(options, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk()
  for await (const listed of desk.watch(signal)) {
    const approval = await wholeOf(listed, desk)
    if (options.json) printJson(cli, approval)
    else cli.out(`${described(approval)}\n`)
  }
  return EXIT.ok
}

/** With all of its command, where the list has only the beginning. */
async function wholeOf({ commandChars, ...approval }: ListedApproval, desk: Pick<Desk, 'get'>): Promise<Approval> {
  return approval.command.length === commandChars ? approval : desk.get(approval.id)
}

/** Everything of a request a person needs to decide it; text of others is escaped, the command is whole. */
export function described(approval: Approval): string {
  const {
    id,
    about = 'message',
    kind,
    state,
    requester,
    requesterKind,
    principal,
    target,
    protocol,
    session,
    reason,
    rules,
    approvers,
    expiresAt,
    command,
    facts,
    decisions,
    withdrawn,
    review,
  } = approval
  const rows = [
    ['requester', `${requester} (${requesterKind}${principal === undefined ? '' : `, for ${principal}`})`],
    ['about', about === 'message' ? kind : about],
    ...(target === undefined ? [] : [['target', protocol === undefined ? target : `${target} (${protocol})`]]),
    ...(session === undefined ? [] : [['session', session]]),
    ['reason', reason],
    ...(rules.length === 0 ? [] : [['rules', rules.join(', ')]]),
    ['approvers', `${approvers.count} of ${approvers.groups.join(', ')}`],
    ['expires', expiresAt],
    ...decisions.map(({ act, by, at, reason: why }) => [act, `${by} at ${at}${why === undefined ? '' : `: ${why}`}`]),
    ...(withdrawn?.by === undefined
      ? []
      : [['withdrawn', `${withdrawn.by} at ${withdrawn.at}${withdrawn.reason === undefined ? '' : `: ${withdrawn.reason}`}`]]),
    ...(review === undefined ? [] : [['review', `${review.by} at ${review.at}: ${review.note}`]]),
  ]
  const block = safeBlock(command)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
  const seen = Object.entries(facts).map(([name, value]) => [name, factText(value)])
  const policy = seen.length === 0 ? '' : `  what the policy saw in it:\n${pairs(seen, '    ')}`
  return `${id}  ${state}${missing(approval)}\n${pairs(rows, '  ')}  command (redacted, ${command.length} characters):\n${block}\n${policy}`
}

function factText(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function pairs(rows: readonly (readonly string[])[], indent: string): string {
  const width = Math.max(10, ...rows.map(([name = '']) => safeText(name).length))
  return rows.map(([name = '', value = '']) => `${indent}${safeText(name).padEnd(width)} ${safeText(value)}\n`).join('')
}

function missing({ state, approvers, decisions }: Approval): string {
  return state === 'pending' && decisions.length > 0 ? ` (${decisions.length} of ${approvers.count} approvals)` : ''
}

function rowOf({ id, about = 'message', state, requester, target = '', expiresAt, command }: Approval): string[] {
  const line = command.replace(/\s+/g, ' ').trim()
  const rest = line.length - LISTED_CHARS
  return [
    id,
    state,
    about,
    requester,
    target,
    expiresAt,
    rest > 0 ? `${line.slice(0, LISTED_CHARS)}... (${rest} more characters)` : line,
  ]
}

/** Whoever acts, with what they may at the desk. */
export async function proveApprover(
  settings: Settings,
  question: string,
  keyFile: string | undefined,
  cli: Cli,
): Promise<Identity & Approver> {
  const identity = await proveCaller(settings, question, keyFile, cli)
  return { ...identity, mayBreakGlass: mayBreakGlass(settings, identity) }
}

/** With `env`, the ledger can be told. */
export async function configured(options: Options, cli: Cli, env?: Cli['env']): Promise<{ readonly settings: Settings }> {
  return { settings: await loadConfig(findConfig(options.config, cli), env, 'store') }
}

function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
