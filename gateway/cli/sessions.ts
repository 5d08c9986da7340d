import { listSessions, type SessionListing } from '../../recorder/index.ts'
import type { SessionDetail, SummaryText } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { writerOf } from '../../schemas/verify/ledger-facts.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { type Between, between } from './moment.ts'
import { fullId } from './replay.ts'

export interface SessionsOptions extends Between {
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
  const inTime = between(options)
  for await (const listing of listSessions(store)) {
    if (isOf(listing, options) && inTime(listing.header?.session.startedAt)) found.push(listing)
  }
  // Ids begin with the start, so the order of the ids is the order of the starts.
  found.sort((a, b) => (a.id < b.id ? 1 : -1))
  if (options.json) printJson(cli, found.map(jsonOf))
  else if (found.length === 0)
    cli.err(
      (options.run ?? options.trace ?? options.since ?? options.until)
        ? 'nothing is recorded of that\n'
        : 'nothing is recorded yet\n',
    )
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

export interface ShowOptions extends ConsoleOptions {
  readonly json?: true
  /** Have the configured model write a summary as well. */
  readonly llm?: true
}

/** What happened in one, as the running console tells it, and what it counts; what a model makes of it only where it is asked for. */
export async function showSession(named: string, options: ShowOptions, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  // Another console's store is not here to look in; of a whole id there may be no tape in ours any more.
  const asked = writerOf(named) !== undefined || options.url !== undefined
  const id = asked ? named : await fullId((await evidenceOf(options.config, cli)).store, named)
  const path = `/sessions/${encodeURIComponent(id)}`
  const session = await console.ask<SessionDetail>(path)
  const summary = options.llm === true ? await console.ask<SummaryText>(`${path}/summary`, {}) : undefined
  if (options.json) {
    printJson(cli, { ...session, ...(summary === undefined ? {} : { summary }) })
    return EXIT.ok
  }
  for (const line of [`session ${session.id}`, ...(session.narrative ?? [])]) cli.out(`${safeText(line)}\n`)
  if (summary !== undefined) cli.out(summaryLines(summary))
  return EXIT.ok
}

function summaryLines({ host, model, bytes, sha256, statements, of, text }: SummaryText): string {
  const by = model === null ? host : `${model} at ${host}`
  const [begin, end] = [`-- written by a model, not evidence: ${by}`, '-- end of what the model wrote']
  const sent = `   it was sent ${bytes} bytes of masked text (${statements} of ${of} commands), SHA-256 ${sha256}`
  // Each line is marked, so that nothing in it can pass for one of ours.
  return [begin, sent, ...text.split('\n').map((line) => `   | ${line}`), end].map((line) => `${safeText(line)}\n`).join('')
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
