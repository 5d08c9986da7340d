import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Records } from '../../recorder/desk/records.ts'
import { ApplianceError } from '../../schemas/errors.ts'

const Step = Type.Object({
  subject: Type.String({ minLength: 1 }),
  act: Type.Union([Type.Literal('block'), Type.Literal('unblock')]),
  reason: Type.String({ minLength: 1 }),
  at: Type.String({ format: 'date-time' }),
})
type Step = Static<typeof Step>
const checker = Compile(Step)

/**
 * Who is kept out, whatever they prove: the way to end what a token or an issuer vouches for. A record for each step, `<hash of the
 * subject>-<number>.json`; records are only ever added, the highest number counts, so any number of processes may read and write at once.
 */
export class BlockedSubjects {
  readonly #records: Records
  #read: { readonly texts: ReadonlyMap<string, string>; readonly last: ReadonlyMap<string, Step> } | undefined

  constructor(records: Records) {
    this.#records = records
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
    const steps = (await this.#records.names('')).filter((each) => each.startsWith(`${name}-`)).length
    const step: Step = { subject, act, reason, at: new Date().toISOString() }
    const path = `${name}-${String(steps + 1).padStart(6, '0')}.json`
    // Where somebody was quicker, what they did is looked at first.
    return (await this.#records.create(path, JSON.stringify(step))) || this.change(act, subject, reason)
  }

  async #last(): Promise<ReadonlyMap<string, Step>> {
    const texts = await this.#records.all('')
    if (this.#read?.texts !== texts) this.#read = { texts, last: lastOf(texts) }
    return this.#read.last
  }
}

function lastOf(texts: ReadonlyMap<string, string>): ReadonlyMap<string, Step> {
  const last = new Map<string, Step>()
  for (const [name, text] of texts) {
    const step: unknown = JSON.parse(text)
    if (!checker.Check(step)) throw new ApplianceError('CONFIG_INVALID', `the record ${name} of blocked identities is damaged`)
    last.set(step.subject, step)
  }
  return last
}
