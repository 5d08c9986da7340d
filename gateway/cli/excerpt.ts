import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { NewFile } from '../../recorder/bundle/new-file.ts'
import { writeFully } from '../../recorder/files.ts'
import { type FrameRuns, makeExcerpt } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { EXCERPT_ENDING, encodeExcerpt } from '../../schemas/excerpt.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { maySign } from './note-view.ts'
import { callerOf } from './prove-caller.ts'
import { fullId } from './replay.ts'

export interface ExcerptOptions {
  readonly config?: string
  readonly json?: true
  readonly frames: FrameRuns
  readonly out?: string
  readonly reason?: string
  readonly keyFile?: string
}

/**
 * Writes some frames of a session with their proofs into a new file. Where the gateway's key is at hand the ledger is told first, who took what:
 * an excerpt that it cannot note is not made. Who reads a copy elsewhere writes nothing into it.
 */
export async function excerpt(session: string, options: ExcerptOptions, cli: Cli): Promise<number> {
  if (options.out?.endsWith(EXCERPT_ENDING) === false)
    throw new ApplianceError('CONFIG_INVALID', `an excerpt's name ends in ${EXCERPT_ENDING}, by which verifiers know it`)
  const { store, where } = await evidenceOf(options.config, cli)
  const noted = maySign(where)
  const caller = noted ? await callerOf(where, options.keyFile, cli) : undefined
  const id = await fullId(store, session)
  const path = resolve(cli.cwd, options.out ?? `${id}${EXCERPT_ENDING}`)
  // Before the tape is read, which may take long: where nothing can be written, nobody waits for it.
  await using file = await NewFile.create(path)
  const made = await makeExcerpt(store, id, options.frames)
  const bytes = Buffer.from(encodeExcerpt(made))
  if (caller !== undefined) {
    await tellLedger(where, {
      type: 'export.create',
      ...caller,
      format: 'excerpt',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      sessionIds: [id],
      frames: made.disclosed.map(([first, last]) => [first, last]),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    })
  }
  await writeFully(file.file, bytes, 0)
  await file.commit()
  if (options.json) printJson(cli, { session: id, path, disclosed: made.disclosed, frames: made.frames.length, noted })
  else {
    cli.out(`${safeText(path)}: ${made.frames.length === 1 ? '1 frame' : `${made.frames.length} frames`} of ${safeText(id)}\n`)
    if (!noted) cli.err('not noted in the ledger: there is no key of its gateway here\n')
  }
  return EXIT.ok
}
