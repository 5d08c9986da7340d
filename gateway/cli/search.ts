import type { SearchPage } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { SearchFacets, SearchHit } from '../../schemas/search.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson } from './context.ts'

export interface SearchOptions extends ConsoleOptions {
  readonly json?: true
  readonly limit?: number
  readonly cursor?: string
  readonly facets?: true
}

/** What the running console finds, newest first. */
export async function search(terms: readonly string[], options: SearchOptions, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  const { limit, cursor, facets } = options
  const query = new URLSearchParams({
    q: terms.join(' '),
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(facets === undefined ? {} : { facets: 'true' }),
  })
  const page = await console.ask<SearchPage>(`/search?${query}`)
  if (options.json) {
    printJson(cli, page)
    return EXIT.ok
  }
  for (const hit of page.hits) cli.out(shownHit(hit))
  if (page.facets !== null) cli.out(shownFacets(page.facets))
  if (page.hits.length === 0) cli.err('nothing found\n')
  if (page.next !== null) cli.err(`there is more: add --cursor ${page.next}\n`)
  if (page.lag.state !== 'following' || page.lag.sessions > 0)
    cli.err(`the catalog is still reading ${page.lag.sessions} sessions (${page.lag.state}); the answer may grow\n`)
  return EXIT.ok
}

/** Where `replay` and the console find it: frame, and row of it. */
export function placeText({ session, frame, row }: Pick<SearchHit, 'session' | 'frame' | 'row'>): string {
  return `${session}#frame=${frame}${row === null ? '' : `.${row}`}`
}

function shownHit(hit: SearchHit): string {
  const { at, identity, principal, target, place, statement } = hit
  const who = principal === null ? identity : `${identity} for ${principal}`
  const about =
    statement === null
      ? ''
      : `  ${statement.rows} rows, ${statement.bytesOut} bytes${statement.verdict === null ? '' : `, ${statement.verdict}`}, ${statement.outcome}${statement.approval === null ? '' : `, ${safeText(statement.approval)}`}`
  const text = hit.text.replace(/\s+/g, ' ').trim()
  return `${at.slice(0, 19)}Z  ${safeText(who)}  ${safeText(target)}  ${place}${about}\n  ${safeText(placeText(hit))}\n    ${safeText(text)}\n`
}

function shownFacets({ of, more, ...facets }: SearchFacets): string {
  const lines = Object.entries(facets).flatMap(([name, values]) =>
    values.length === 0
      ? []
      : [`  ${name.padEnd(9)} ${values.map(({ value, count }) => `${safeText(value)} ${count}`).join(', ')}\n`],
  )
  return `of ${more ? 'the newest ' : ''}${of} hits:\n${lines.join('')}`
}
