import type { PullTotals } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { parseTerms } from '../../schemas/filter.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'

export interface PullsOptions extends ConsoleOptions {
  readonly json?: true
  readonly table?: string
  readonly target?: string
  readonly identity?: string
  readonly since?: string
  readonly until?: string
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
      ...[each.rows, each.keys, each.bytes, each.masked, each.statements, each.sessions, each.largest].map(String),
    ])
    cli.out(
      table([['WHO', 'TARGET', 'TABLE', 'ROWS', 'DIFFERENT', 'BYTES', 'MASKED', 'STATEMENTS', 'SESSIONS', 'LARGEST'], ...rows]),
    )
  }
  return EXIT.ok
}

/** `7d`, or a date, as in the filter language. */
function moment(field: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const parsed = parseTerms(`${field}:${JSON.stringify(text)}`, Date.now())
  if (!parsed.ok) throw new ApplianceError('API_INVALID', `--${parsed.what}`)
  return parsed.terms[0]?.value
}
