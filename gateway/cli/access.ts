import { safeText } from '../../schemas/safe-text.ts'
import { askForAccess, untilOf } from '../access.ts'
import { durationMs } from '../policy/quantities.ts'
import { loadPolicy } from '../service.ts'
import { openShared } from '../shared.ts'
import { tellLedger } from '../tape-room.ts'
import { configured, type Options, proveApprover } from './approvals.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'

type Proving = Options & { readonly keyFile?: string }

export async function requestAccess(
  target: string,
  options: Proving & { readonly for: string; readonly reason: string },
  cli: Cli,
): Promise<number> {
  const { settings } = await configured(options, cli, cli.env)
  const identity = await proveApprover(settings, 'who asks?', options.keyFile, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk({ append: (entry) => tellLedger(settings, entry) })
  const policy = await loadPolicy(settings)
  const wish = { target, forMs: durationMs(options.for), reason: options.reason }
  const approval = await askForAccess(wish, identity, {
    settings,
    policy,
    desk,
    fingerprintKey: await shared.key('mask-fingerprint'),
  })
  if (options.json) printJson(cli, approval)
  else if (approval.state === 'approved')
    cli.err(`${approval.id} is approved already, until ${new Date(untilOf(approval)).toISOString()}\n`)
  else
    cli.err(
      `${approval.id} waits for ${approval.approvers.count} of ${approval.approvers.groups.map(safeText).join(', ')}; see: sallyport approvals show ${approval.id}\n`,
    )
  return EXIT.ok
}

export async function listAccess(options: Options & { readonly all?: true }, cli: Cli): Promise<number> {
  const { settings } = await configured(options, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk()
  const found = (await desk.list()).filter(
    ({ about, state }) => about === 'access' && (options.all || state === 'pending' || state === 'approved'),
  )
  if (options.json) printJson(cli, found)
  else if (found.length === 0) cli.err('nobody has access for a while, or asks for it\n')
  else
    cli.out(
      table([
        ['ID', 'STATE', 'REQUESTER', 'TARGET', 'UNTIL', 'REASON'],
        ...found.map((each) => [
          each.id,
          each.state,
          each.requester,
          each.target ?? '',
          each.state === 'approved' ? new Date(untilOf(each)).toISOString() : '',
          each.command,
        ]),
      ]),
    )
  return EXIT.ok
}

export async function endAccess(id: string, options: Proving & { readonly reason?: string }, cli: Cli): Promise<number> {
  const { settings } = await configured(options, cli, cli.env)
  const by = await proveApprover(settings, 'who ends it?', options.keyFile, cli)
  await using shared = await openShared(settings, cli.env)
  using desk = shared.desk({ append: (entry) => tellLedger(settings, entry) })
  const approval = await desk.retract(id, by, options.reason)
  if (options.json) printJson(cli, approval)
  else cli.err(`${id} is over; sessions that live by it end within seconds\n`)
  return EXIT.ok
}
