import { createHash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { readSession, statementsCsv } from '../../recorder/bundle/session-statements.ts'
import { openTape, type Store } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { isOfTerminal } from '../../schemas/views/terminal.ts'
import { Asciicast, type CastVersion } from '../exports/asciicast.ts'
import { ocsfEvent } from '../exports/ocsf.ts'
import { describers } from '../protocols/describers.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import type { ExportFormat } from './export-formats.ts'
import { callerOf } from './prove-caller.ts'
import { fullId } from './replay.ts'

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
    for await (const text of partsOf(store, id, options)) {
      const bytes = Buffer.from(text)
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

async function* partsOf(store: Store, id: string, { format, channel }: ExportOptions): AsyncGenerator<string> {
  if (format === 'asciicast' || format === 'asciicast-v2') yield* castOf(store, id, format === 'asciicast' ? 3 : 2, channel)
  else {
    const read = await readSession({ store, describers }, id, undefined)
    if (read === undefined) throw new ApplianceError('TAPE_MALFORMED', `${id} cannot be read`)
    if (format === 'csv') yield statementsCsv(read.statements)
    else for (const row of read.statements) yield `${JSON.stringify(ocsfEvent(read.session, row, packageJson.version))}\n`
  }
}

/** The first channel with a terminal, unless one is named. */
async function* castOf(store: Store, id: string, version: CastVersion, wanted: number | undefined): AsyncGenerator<string> {
  const tape = await openTape(store, id)
  let channel = wanted
  let cast: Asciicast | undefined
  for await (const frame of tape.frames()) {
    if (channel === undefined && isOfTerminal(frame)) channel = frame.channel
    if (channel === undefined || frame.channel !== channel) continue
    cast ??= new Asciicast({ session: id, channel, startedAt: tape.header.session.startedAt }, version)
    yield* cast.add(frame)
  }
}
