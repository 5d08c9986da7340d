import { listSessions, type SessionListing } from '../../recorder/index.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { evidenceOf } from './evidence.ts'

/** Every recorded session, newest first. */
export async function sessions(options: { readonly config?: string; readonly json?: true }, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const found: SessionListing[] = []
  for await (const listing of listSessions(store)) found.push(listing)
  // Ids begin with the start, so the order of the ids is the order of the starts.
  found.sort((a, b) => (a.id < b.id ? 1 : -1))
  if (options.json) printJson(cli, found.map(jsonOf))
  else if (found.length === 0) cli.err('nothing is recorded yet\n')
  else
    cli.out(
      table([
        ['SESSION', 'WHO', 'TARGET', 'STATE', 'FRAMES', 'ROWS', 'MASKED', 'BLOCKED', 'HELD', 'SECONDS'],
        ...found.map(rowOf),
      ]),
    )
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
