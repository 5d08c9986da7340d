import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeJson, safeText } from '../../schemas/safe-text.ts'

/** Exit codes of every command but `verify`, which has its own for its verdicts. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const

/** Where a configuration is looked for when none is named: beside the caller, then the demo's. */
const DISCOVERED = ['sallyport.yaml', '.sallyport/sallyport.yaml']

/** What a command needs of the world: so that tests run it without a process. */
export interface Cli {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** Writes to stdout or stderr as it is: text of others goes through safeText first. */
  out(text: string): void
  err(text: string): void
  /** Whether somebody watches stderr as it is written. */
  readonly isTerminal?: boolean
  /** Where stdin and stdout are a terminal. */
  readonly screen?: Screen
  /** Aborts when the command should end. */
  readonly signal?: AbortSignal
}

interface Screen {
  size(): { readonly columns: number; readonly rows: number }
  /** Tells of keys as they are pressed, unseen on the screen, until what it returns is called. */
  onKey(listener: (key: string) => void): () => void
}

export const processCli: Cli = {
  env: process.env,
  cwd: process.cwd(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
  ...(process.stdin.isTTY && process.stdout.isTTY ? { screen: processScreen() } : {}),
}

function processScreen(): Screen {
  const { stdin, stdout } = process
  return {
    size: () => ({ columns: stdout.columns, rows: stdout.rows }),
    onKey(listener) {
      const heard = (bytes: Buffer): void => listener(bytes.toString('utf8'))
      stdin.setRawMode(true)
      stdin.on('data', heard).resume()
      return () => {
        stdin.off('data', heard).pause()
        stdin.setRawMode(false)
      }
    },
  }
}

/** `--config`, else SALLYPORT_CONFIG, else ./sallyport.yaml, else the demo's. Throws CONFIG_INVALID naming where it looked. */
export function findConfig(named: string | undefined, cli: Cli): string {
  const given = named ?? cli.env['SALLYPORT_CONFIG']
  if (given !== undefined && given !== '') return resolve(cli.cwd, given)
  const found = DISCOVERED.map((path) => resolve(cli.cwd, path)).find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new ApplianceError(
    'CONFIG_INVALID',
    `no configuration: neither --config nor SALLYPORT_CONFIG is given, and there is no ${DISCOVERED.join(' or ')} under ${cli.cwd}`,
  )
}

/** One JSON value and a newline, safe for terminals. */
export function printJson(cli: Cli, value: unknown): void {
  cli.out(`${safeJson(value)}\n`)
}

/** Tells an error on stderr, as JSON where the command was asked for JSON, and gives the exit code. */
export function tell(error: unknown, cli: Cli, json: boolean): number {
  const code = error instanceof ApplianceError ? error.code : 'FAILED'
  const message = error instanceof Error ? error.message : String(error)
  if (json) {
    cli.err(`${safeJson({ error: { code, message } })}\n`)
    return EXIT.failure
  }
  const lines = message.split('\n').map(safeText).join('\n')
  cli.err(`sallyport: ${code}: ${lines}\n`)
  if (!(error instanceof ApplianceError) && error instanceof Error && cli.env['SALLYPORT_LOG'] === 'debug')
    cli.err(`${error.stack ?? ''}\n`)
  return EXIT.failure
}

/** Columns, padded to the widest cell; cells are text of others and made safe here. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(safeText))
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? []
  return cells
    .map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}
