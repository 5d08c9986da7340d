import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { NewFile } from '../../recorder/bundle/new-file.ts'
import { readSession, type SessionStatements, statementsCsv } from '../../recorder/bundle/session-statements.ts'
import { openTape, type Store } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { isOfTerminal } from '../../schemas/views/terminal.ts'
import { Asciicast, type CastVersion } from '../exports/asciicast.ts'
import { asimEvent } from '../exports/asim.ts'
import { Har } from '../exports/har.ts'
import { ocsfEvent } from '../exports/ocsf.ts'
import { derivedFrom, type Origin, originOf } from '../exports/origin.ts'
import { hasPackets, PcapNg } from '../exports/pcapng.ts'
import { describers } from '../protocols/describers.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import type { ExportFormat } from './export-formats.ts'
import { callerOf } from './prove-caller.ts'
import { fullId } from './replay.ts'

/** Held in memory; a session of more is told, and the recording has them. */
const MAX_STATEMENTS = 1_000_000
const HAR_PROTOCOLS: ReadonlySet<ProtocolName> = new Set(['http', 'kubernetes', 'egress'])

export interface ExportOptions {
  readonly config?: string
  readonly json?: true
  readonly format: ExportFormat
  readonly out: string
  /** Of a session with several terminals. */
  readonly channel?: number
  readonly reason?: string
  readonly keyFile?: string
}

/**
 * Writes a session in the format of other tools to a new file. The ledger is told first, with the file's hash, and only then the file has its name;
 * Ctrl-C leaves nothing of it. Derived: what it says is what was recorded, and only the recording proves that.
 */
export async function exportSession(session: string, options: ExportOptions, cli: Cli): Promise<number> {
  const { store, where } = await evidenceOf(options.config, cli)
  const id = await fullId(store, session)
  const path = resolve(cli.cwd, options.out)
  const hash = createHash('sha256')
  let size = 0
  const stop = new AbortController()
  const interrupted = (): void => stop.abort(new ApplianceError('STORE_FAILED', 'interrupted; nothing of the export is left'))
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    await using made = await NewFile.create(path)
    for await (const part of partsOf(store, id, options, cli, stop.signal)) {
      stop.signal.throwIfAborted()
      const bytes = typeof part === 'string' ? Buffer.from(part) : part
      hash.update(bytes)
      size += bytes.length
      await writeWhole(made.file, bytes)
    }
    if (size === 0) throw new ApplianceError('API_INVALID', `${id} has no terminal that could be exported`)
    const by = await callerOf(where, options.keyFile, cli)
    stop.signal.throwIfAborted()
    await tellLedger(where, {
      type: 'export.create',
      ...by,
      format: options.format,
      sha256: hash.digest('hex'),
      sessionIds: [id],
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    })
    stop.signal.throwIfAborted()
    await made.commit()
  } finally {
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
  }
  if (options.json) printJson(cli, { session: id, path, format: options.format, size })
  else cli.out(`${safeText(path)}: ${safeText(id)} as ${options.format}, ${size} bytes, derived\n`)
  return EXIT.ok
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
}

async function* partsOf(
  store: Store,
  id: string,
  { format, channel }: ExportOptions,
  cli: Cli,
  signal: AbortSignal,
): AsyncGenerator<string | Uint8Array> {
  const origin = await originOf(store, id)
  switch (format) {
    case 'asciicast':
    case 'asciicast-v2':
      yield* castOf(store, origin, format === 'asciicast' ? 3 : 2, channel, signal)
      return
    case 'har':
    case 'pcapng':
      yield* exchangesOf(store, origin, format, signal)
      return
    case 'csv':
    case 'parquet':
    case 'ocsf':
    case 'asim': {
      const read = await readSession({ store, describers }, id, signal, MAX_STATEMENTS)
      if (read === undefined) throw new ApplianceError('TAPE_MALFORMED', `${id} cannot be read`)
      if (read.cut) cli.err(`sallyport: ${safeText(id)} has more statements; the first ${MAX_STATEMENTS} are written\n`)
      yield* statementsOf(read, format, derivedFrom(origin))
      return
    }
    default:
      format satisfies never
  }
}

async function* statementsOf(
  { session, statements }: SessionStatements,
  format: 'csv' | 'parquet' | 'ocsf' | 'asim',
  derived: string,
): AsyncGenerator<string | Uint8Array> {
  if (format === 'csv') yield* statementsCsv(statements, derived)
  else if (format === 'parquet') {
    // A library that only this needs.
    const { statementsParquet } = await import('../exports/parquet.ts')
    yield statementsParquet(session, statements, derived)
  } else
    for (const row of statements) {
      const event = format === 'ocsf' ? ocsfEvent(session, row, packageJson.version, derived) : asimEvent(session, row, derived)
      yield `${JSON.stringify(event)}\n`
    }
}

async function* exchangesOf(
  store: Store,
  origin: Origin,
  format: 'har' | 'pcapng',
  signal: AbortSignal,
): AsyncGenerator<string | Uint8Array> {
  const tape = await openTape(store, origin.session)
  const { session } = tape.header
  const { protocol } = session.target
  if (format === 'har' ? !HAR_PROTOCOLS.has(protocol) : !hasPackets(protocol))
    throw new ApplianceError('API_INVALID', `${origin.session} is a session of ${protocol}, of which no ${format} can be made`)
  const writer =
    format === 'har' ? new Har(session, origin, packageJson.version) : new PcapNg(session, origin, packageJson.version)
  yield* writer.begin()
  for await (const frame of tape.frames({}, signal)) yield* writer.add(frame)
  yield* writer.end()
}

/** The first channel with a terminal, unless one is named. */
async function* castOf(
  store: Store,
  origin: Origin,
  version: CastVersion,
  wanted: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const tape = await openTape(store, origin.session)
  let channel = wanted
  let cast: Asciicast | undefined
  for await (const frame of tape.frames({}, signal)) {
    if (channel === undefined && isOfTerminal(frame)) channel = frame.channel
    if (channel === undefined || frame.channel !== channel) continue
    cast ??= new Asciicast({ origin, channel, startedAt: tape.header.session.startedAt }, version)
    yield* cast.add(frame)
  }
}
