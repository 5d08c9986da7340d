import { listSessions, type SessionListing } from '../../recorder/index.ts'
import type { SessionDetail } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { evidenceOf } from './evidence.ts'

export interface SessionsOptions {
  readonly config?: string
  readonly json?: true
  /** Only of this piece of work; whichever protocol, target or gateway. */
  readonly run?: string
  /** Only of this trace, 32 hex digits. */
  readonly trace?: string
}

/** Every recorded session, newest first. */
export async function sessions(options: SessionsOptions, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const found: SessionListing[] = []
  for await (const listing of listSessions(store)) if (isOf(listing, options)) found.push(listing)
  // Ids begin with the start, so the order of the ids is the order of the starts.
  found.sort((a, b) => (a.id < b.id ? 1 : -1))
  if (options.json) printJson(cli, found.map(jsonOf))
  else if (found.length === 0)
    cli.err((options.run ?? options.trace) ? 'nothing is recorded of that\n' : 'nothing is recorded yet\n')
  else
    cli.out(
      table([
        ['SESSION', 'WHO', 'TARGET', 'STATE', 'FRAMES', 'ROWS', 'MASKED', 'BLOCKED', 'HELD', 'SECONDS'],
        ...found.map(rowOf),
      ]),
    )
  return EXIT.ok
}

/** What a proof says of the work counts before what the client says. */
function isOf({ header }: SessionListing, { run, trace }: SessionsOptions): boolean {
  const { identity, claims = {} } = header?.session ?? {}
  if (run !== undefined && (identity?.about?.['run'] ?? claims['run']) !== run) return false
  return trace === undefined || claims['trace'] === trace
}

/** What happened in one, as the running console tells it, and what it counts. */
export async function showSession(id: string, options: ConsoleOptions & { readonly json?: true }, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  const session = await console.ask<SessionDetail>(`/sessions/${encodeURIComponent(id)}`)
  if (options.json) printJson(cli, session)
  else for (const line of [`session ${session.id}`, ...(session.narrative ?? [])]) cli.out(`${safeText(line)}\n`)
  return EXIT.ok
}

function rowOf({ id, header, state, frameCount, rowCount, summary }: SessionListing): string[] {
  const { identity, target } = header?.session ?? {}
  const totals = summary?.totals
  // What only a seal can say is not guessed for tapes without one; rows, every chunk has counted.
  const counted = [rowCount, totals?.masked, totals?.verdicts.block, totals?.verdicts.hold].map((count) => String(count ?? '-'))
  const seconds = summary === undefined ? '-' : (summary.durationUs / 1e6).toFixed(1)
  return [id, identity?.subject ?? '?', target?.name ?? '?', state, String(frameCount), ...counted, seconds]
}

function jsonOf({ id, header, state, frameCount, rowCount, summary }: SessionListing) {
  const { identity, target, client, claims, startedAt, durability, policy } = header?.session ?? {}
  return {
    id,
    state,
    frameCount,
    rowCount,
    startedAt,
    identity,
    target,
    client,
    claims,
    durability,
    policy,
    summary: summary ?? null,
  }
}
