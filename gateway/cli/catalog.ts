import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type CatalogEntry, type Reconciliation, reconcile, reconciledExit } from '../../recorder/reconcile.ts'
import type { CatalogSessions, CatalogStatus } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { placesIn } from '../places.ts'
import { tellLedger, type Where } from '../tape-room.ts'
import { type ConsoleClient, type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'

export interface CatalogOptions extends ConsoleOptions {
  readonly json?: true
}

/** How often the catalog is asked how far it is. */
const POLL_MS = 500
const ENTRIES = 10_000
/** Ids that are named in the ledger's line, and on the screen; `--json` has all. */
const NAMED = 50

export async function catalogStatus(options: CatalogOptions, cli: Cli): Promise<number> {
  const status = await (await consoleClient(options, cli)).ask<CatalogStatus>('/catalog')
  if (options.json) printJson(cli, status)
  else cli.out(`${progressLine(status)}\n`)
  return EXIT.ok
}

/** Resolves once every tape there was has been read; whoever interrupts it leaves the catalog reading on. */
export async function rebuildCatalog(options: CatalogOptions, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  const begunMs = performance.now()
  let status = await console.ask<CatalogStatus>('/catalog/rebuild', {})
  let said = ''
  while (status.lag.state !== 'following' || status.lag.sessions > 0) {
    const line = progressLine(status)
    if (line !== said) cli.err(cli.isTerminal === true ? `\r${line} ` : `${line}\n`)
    said = line
    await delay(POLL_MS)
    status = await console.ask<CatalogStatus>('/catalog')
  }
  const seconds = Math.round((performance.now() - begunMs) / 100) / 10
  if (options.json) printJson(cli, { sessions: status.sessions, seconds })
  else cli.out(`${cli.isTerminal === true ? '\n' : ''}the catalog has ${status.sessions} sessions again, after ${seconds} s\n`)
  return EXIT.ok
}

function progressLine({ lag, sessions }: CatalogStatus): string {
  return lag.state === 'following' && lag.sessions === 0
    ? `${sessions} sessions, up to date`
    : `${sessions} sessions, ${lag.sessions} more to read (${lag.state})`
}

export interface ReconcileOptions extends CatalogOptions {
  /** False: ledger and store alone, for which no console need run. */
  readonly catalog: boolean
}

/** Compares ledger, store and catalog, and tells the ledger how that went. The exit code says what differs. */
export async function reconcileAll(options: ReconcileOptions, cli: Cli): Promise<number> {
  const { store, trusted, where } = await evidenceOf(options.config, cli)
  const console = options.catalog ? await consoleClient(options, cli) : undefined
  const from = (await console?.ask<CatalogStatus>('/catalog'))?.keptFrom ?? ''
  const found = await reconcile(store, trusted, console && { rows: entriesOf(console), from }, progressOn(cli))
  const noted = maySign(where)
  if (noted) {
    const { opens, tapes, rows: count, missing, extra } = found
    await tellLedger(where, {
      type: 'reconcile',
      opens,
      tapes,
      ...(count === null ? {} : { rows: count }),
      missing: missing.slice(0, NAMED),
      extra: extra.slice(0, NAMED),
    })
  }
  if (options.json) printJson(cli, { ...found, noted })
  else {
    cli.out(shown(found))
    if (!noted) cli.err('not noted in the ledger: there is no key of its gateway here\n')
  }
  return reconciledExit(found)
}

async function* entriesOf(console: ConsoleClient): AsyncGenerator<CatalogEntry> {
  for (let after = ''; ; ) {
    const query = new URLSearchParams({ limit: String(ENTRIES), ...(after === '' ? {} : { after }) })
    const { sessions } = await console.ask<CatalogSessions>(`/catalog/sessions?${query}`)
    yield* sessions
    const last = sessions.at(-1)
    if (last === undefined || sessions.length < ENTRIES) return
    after = last.id
  }
}

function progressOn(cli: Cli): Parameters<typeof reconcile>[3] {
  if (cli.isTerminal !== true) return undefined
  let toldMs = 0
  return (part, count) => {
    if (performance.now() - toldMs < POLL_MS) return
    toldMs = performance.now()
    cli.err(`\r${part}: ${count} read \r`)
  }
}

function shown({ opens, tapes, rows, ended, deleted, never, ...lists }: Reconciliation): string {
  const words: Readonly<Record<keyof typeof lists, string>> = {
    live: 'still being recorded, or waiting for recovery',
    missing: 'MISSING: opened, and there is no tape',
    released: 'deleted under a rule, and still there: for the lifecycle rule of the store',
    extra: 'EXTRA: a tape nobody opened',
    damaged: 'DAMAGED: unreadable, or not as long as the ledger says',
    unlisted: 'not in the catalog as they are: sallyport catalog rebuild',
    stale: 'in the catalog, without a tape: sallyport catalog rebuild',
  }
  const lines = [
    `ledger   ${opens} sessions opened`,
    `store    ${tapes} tapes: ${ended} ended; ${deleted} more deleted under a rule, ${never} never stored`,
    `catalog  ${rows === null ? 'not asked' : `${rows} sessions`}`,
    ...(Object.keys(words) as (keyof typeof lists)[]).flatMap((name) => {
      const ids = lists[name]
      if (ids.length === 0) return []
      const more = ids.length > NAMED ? [`  and ${ids.length - NAMED} more`] : []
      return [`${ids.length} ${words[name]}`, ...ids.slice(0, NAMED).map((id) => `  ${id}`), ...more]
    }),
  ]
  return lines.map((line) => `${safeText(line)}\n`).join('')
}

/** A key that has yet to be made would be one that nobody trusts. */
function maySign({ signer, dataDir }: Where): boolean {
  return signer !== undefined || existsSync(join(placesIn(dataDir).keys, 'gateway.key'))
}
