import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { unreadable } from '../../recorder/desk/record-check.ts'
import type { Records } from '../../recorder/desk/records.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { samePerson } from '../../schemas/session.ts'

const Step = Type.Object({
  subject: Type.String({ minLength: 1 }),
  act: Type.Union([Type.Literal('block'), Type.Literal('unblock')]),
  reason: Type.String({ minLength: 1 }),
  at: Type.String({ format: 'date-time' }),
})
type Step = Static<typeof Step>
const checker = Compile(Step)
/** The last step of each row. */
type Rows = ReadonlyMap<string, Step>

/**
 * Who is kept out, whatever they prove and however their name is written: the way to end what a token or an issuer vouches for. A record
 * for each step, `<hash of the person>-<number>.json`; records are only ever added, the highest number counts, so any number of processes
 * may read and write at once. Of several rows of steps about one person (they once went by the name as written) each has to let them in.
 */
export class BlockedSubjects {
  readonly #records: Records
  #read: { readonly texts: ReadonlyMap<string, string>; readonly last: Rows } | undefined

  constructor(records: Records) {
    this.#records = records
  }

  /** Why somebody is kept out; undefined for who is not. */
  async why(subject: string): Promise<string | undefined> {
    const [step] = (await this.#blocking(subject)).values()
    return step?.reason
  }

  /** Who is kept out now. */
  async list(): Promise<readonly Pick<Step, 'subject' | 'reason' | 'at'>[]> {
    return [...(await this.#last()).values()].filter(({ act }) => act === 'block')
  }

  /** Durable when it resolves. False where it is so already. Rejects CONFIG_INVALID where subject or reason is empty. */
  async change(act: Step['act'], subject: string, reason: string): Promise<boolean> {
    const blocking = await this.#blocking(subject)
    if (blocking.size > 0 === (act === 'block')) return false
    const own = createHash('sha256').update(samePerson(subject)).digest('hex').slice(0, 32)
    const step: Step = { subject, act, reason, at: new Date().toISOString() }
    // One record that nobody can read keeps out everybody.
    const why = unreadable(checker, step)
    if (why !== undefined) throw new ApplianceError('CONFIG_INVALID', `nobody is kept out or let in so: ${why}`)
    for (const row of act === 'block' ? [own] : blocking.keys()) {
      const steps = (await this.#records.names('')).filter((each) => rowOf(each) === row).length
      const path = `${row}-${String(steps + 1).padStart(6, '0')}.json`
      // Where somebody was quicker, what they did is looked at first.
      if (!(await this.#records.create(path, JSON.stringify(step)))) return this.change(act, subject, reason)
    }
    return true
  }

  /** The rows that keep this person out. */
  async #blocking(subject: string): Promise<Rows> {
    const last = await this.#last()
    // As a rule nobody is, and every HTTP request asks.
    if (last.size === 0) return last
    const person = samePerson(subject)
    return new Map([...last].filter(([, step]) => step.act === 'block' && samePerson(step.subject) === person))
  }

  async #last(): Promise<Rows> {
    const texts = await this.#records.all('')
    if (this.#read?.texts !== texts) this.#read = { texts, last: lastOf(texts) }
    return this.#read.last
  }
}

function lastOf(texts: ReadonlyMap<string, string>): Rows {
  const last = new Map<string, Step>()
  for (const [name, text] of texts) {
    const step: unknown = JSON.parse(text)
    if (!checker.Check(step)) throw new ApplianceError('CONFIG_INVALID', `the record ${name} of blocked identities is damaged`)
    last.set(rowOf(name), step)
  }
  return last
}

function rowOf(name: string): string {
  return name.slice(0, name.lastIndexOf('-'))
}
