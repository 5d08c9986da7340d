import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type FrameRuns, makeExcerpt } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { EXCERPT_ENDING, encodeExcerpt } from '../../schemas/excerpt.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { fullId } from './replay.ts'

export interface ExcerptOptions {
  readonly config?: string
  readonly json?: true
  readonly frames: FrameRuns
  readonly out?: string
}

/** Writes some frames of a session with their proofs into a new file. */
export async function excerpt(session: string, options: ExcerptOptions, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const id = await fullId(store, session)
  const made = await makeExcerpt(store, id, options.frames)
  const path = resolve(cli.cwd, options.out ?? `${id}${EXCERPT_ENDING}`)
  if (!path.endsWith(EXCERPT_ENDING))
    throw new ApplianceError('CONFIG_INVALID', `an excerpt's name ends in ${EXCERPT_ENDING}, by which verifiers know it`)
  await writeFile(path, encodeExcerpt(made), { flag: 'wx', mode: 0o600 })
  if (options.json) printJson(cli, { session: id, path, disclosed: made.disclosed, frames: made.frames.length })
  else cli.out(`${safeText(path)}: ${made.frames.length} frames of ${safeText(id)}\n`)
  return EXIT.ok
}
