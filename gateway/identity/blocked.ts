import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { createFile, makeFolder } from '../../recorder/desk/exclusive-file.ts'
import { ApplianceError } from '../../schemas/errors.ts'

/** A change in the same tick of the file system's clock as the last look leaves no trace in the folder's time. */
const CLOCK_GRAIN_MS = 2_000

const Step = Type.Object({
  subject: Type.String({ minLength: 1 }),
  act: Type.Union([Type.Literal('block'), Type.Literal('unblock')]),
  reason: Type.String({ minLength: 1 }),
  at: Type.String({ format: 'date-time' }),
})
type Step = Static<typeof Step>
const checker = Compile(Step)

/**
 * Who is kept out, whatever they prove: the way to end what a token or an issuer vouches for. A file for each step, `<hash of the
 * subject>-<number>.json`; files are only ever added, the highest number counts, so any number of processes may read and write at once.
 */
export class BlockedSubjects {
  readonly #folder: string
  #cache: { readonly last: ReadonlyMap<string, Step>; readonly changedMs: number; readonly readMs: number } | undefined

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open(folder: string): Promise<BlockedSubjects> {
    await makeFolder(folder)
    return new BlockedSubjects(folder)
  }

  /** Why somebody is kept out; undefined for who is not. */
  async why(subject: string): Promise<string | undefined> {
    const step = (await this.#last()).get(subject)
    return step?.act === 'block' ? step.reason : undefined
  }

  /** Who is kept out now. */
  async list(): Promise<readonly Pick<Step, 'subject' | 'reason' | 'at'>[]> {
    return [...(await this.#last()).values()].filter(({ act }) => act === 'block')
  }

  /** Durable when it resolves. False where it is so already. */
  async change(act: Step['act'], subject: string, reason: string): Promise<boolean> {
    if (((await this.why(subject)) !== undefined) === (act === 'block')) return false
    const name = createHash('sha256').update(subject).digest('hex').slice(0, 32)
    const steps = (await readdir(this.#folder)).filter((each) => each.startsWith(`${name}-`)).length
    const step: Step = { subject, act, reason, at: new Date().toISOString() }
    const path = join(this.#folder, `${name}-${String(steps + 1).padStart(6, '0')}.json`)
    // Where somebody was quicker, what they did is looked at first.
    return (await createFile(path, JSON.stringify(step))) || this.change(act, subject, reason)
  }

  async #last(): Promise<ReadonlyMap<string, Step>> {
    // At once, for every HTTP request: through the thread pool it took an eighth of all the time.
    const changedMs = statSync(this.#folder).mtimeMs
    const cached = this.#cache
    if (cached !== undefined && cached.changedMs === changedMs && cached.readMs - changedMs > CLOCK_GRAIN_MS) return cached.last
    const readMs = Date.now()
    const last = new Map<string, Step>()
    const names = (await readdir(this.#folder)).filter((each) => each.endsWith('.json') && !each.startsWith('.')).sort()
    for (const name of names) {
      const step: unknown = JSON.parse(await readFile(join(this.#folder, name), 'utf8'))
      if (!checker.Check(step)) throw new ApplianceError('CONFIG_INVALID', `the file ${name} of blocked identities is damaged`)
      last.set(step.subject, step)
    }
    this.#cache = { last, changedMs, readMs }
    return last
  }
}
