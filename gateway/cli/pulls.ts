import type { PullTotals } from '../../schemas/api.ts'
import { EXACT_KEYS } from '../../schemas/api-names.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { type Between, moment } from './moment.ts'

export interface PullsOptions extends ConsoleOptions, Between {
  readonly json?: true
  readonly table?: string
  readonly target?: string
  readonly identity?: string
}

/** Who took the most of what: rows, and how many of them were different. */
export async function pulls(options: PullsOptions, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  const { table: of, target, identity, since, until } = options
  const given = Object.entries({ table: of, target, identity, since: moment('since', since), until: moment('until', until) })
  const query = new URLSearchParams(given.filter((each): each is [string, string] => each[1] !== undefined))
  const { pulls: found } = await console.ask<PullTotals>(`/pulls?${query}`)
  if (options.json) printJson(cli, found)
  else if (found.length === 0) cli.err('nothing left\n')
  else {
    const rows = found.map((each) => [
      ...[each.family, each.target, each.object],
      ...[String(each.rows), `${each.keys > EXACT_KEYS ? '~' : ''}${each.keys}`],
      ...[each.bytes, each.masked, each.statements, each.sessions, each.largest].map(String),
    ])
    cli.out(
      table([['WHO', 'TARGET', 'TABLE', 'ROWS', 'DIFFERENT', 'BYTES', 'MASKED', 'STATEMENTS', 'SESSIONS', 'LARGEST'], ...rows]),
    )
  }
  return EXIT.ok
}
