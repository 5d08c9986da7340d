import { createHash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
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
 * Writes a session in the format of other tools to a new file. The ledger is told first, with the file's hash: what it does not take is not there
 * in the end. Derived: what it says is what was recorded, and only the recording proves that.
 */
export async function exportSession(session: string, options: ExportOptions, cli: Cli): Promise<number> {
  const { store, where } = await evidenceOf(options.config, cli)
  const id = await fullId(store, session)
  const path = resolve(cli.cwd, options.out)
  const file = await open(path, 'wx', 0o600)
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const part of partsOf(store, id, options, cli)) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part
      hash.update(bytes)
      size += bytes.length
      await writeWhole(file, bytes)
    }
    if (size === 0) throw new ApplianceError('TAPE_MALFORMED', `${id} has no terminal that could be exported`)
    await tellLedger(where, {
      type: 'export.create',
      ...(await callerOf(where, options.keyFile, cli)),
      format: options.format,
      sha256: hash.digest('hex'),
      sessionIds: [id],
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    })
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
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
): AsyncGenerator<string | Uint8Array> {
  const origin = await originOf(store, id)
  switch (format) {
    case 'asciicast':
    case 'asciicast-v2':
      yield* castOf(store, origin, format === 'asciicast' ? 3 : 2, channel)
      return
    case 'har':
    case 'pcapng':
      yield* exchangesOf(store, origin, format)
      return
    case 'csv':
    case 'parquet':
    case 'ocsf':
    case 'asim': {
      const read = await readSession({ store, describers }, id, undefined, MAX_STATEMENTS)
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
  if (format === 'csv') yield statementsCsv(statements, derived)
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

async function* exchangesOf(store: Store, origin: Origin, format: 'har' | 'pcapng'): AsyncGenerator<string | Uint8Array> {
  const tape = await openTape(store, origin.session)
  const { session } = tape.header
  const { protocol } = session.target
  if (format === 'har' ? !HAR_PROTOCOLS.has(protocol) : !hasPackets(protocol))
    throw new ApplianceError('TAPE_MALFORMED', `${origin.session} is a session of ${protocol}, of which no ${format} can be made`)
  const writer =
    format === 'har' ? new Har(session, origin, packageJson.version) : new PcapNg(session, origin, packageJson.version)
  yield* writer.begin()
  for await (const frame of tape.frames()) yield* writer.add(frame)
  yield* writer.end()
}

/** The first channel with a terminal, unless one is named. */
async function* castOf(store: Store, origin: Origin, version: CastVersion, wanted: number | undefined): AsyncGenerator<string> {
  const tape = await openTape(store, origin.session)
  let channel = wanted
  let cast: Asciicast | undefined
  for await (const frame of tape.frames()) {
    if (channel === undefined && isOfTerminal(frame)) channel = frame.channel
    if (channel === undefined || frame.channel !== channel) continue
    cast ??= new Asciicast({ origin, channel, startedAt: tape.header.session.startedAt }, version)
    yield* cast.add(frame)
  }
}
