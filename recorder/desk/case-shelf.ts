import { createHash, randomInt } from 'node:crypto'
import type { CaseChange, CaseItem, CaseRow } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Records } from './records.ts'

/** Changes of one case: a case that needs more is several. */
const MAX_CHANGES = 2_000
const MAX_CASES = 10_000
/** Without the letters that are read as digits, or the other way round. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** What has happened to a case, oldest first; the first begins it. */
export type CaseEvent = { readonly by: string; readonly at: string } & (
  | { readonly act: 'create'; readonly title: string; readonly own: boolean }
  | CaseChange
)

export interface Case extends Omit<CaseRow, 'items'> {
  readonly items: readonly Omit<CaseItem, 'shown'>[]
  readonly notes: readonly { readonly by: string; readonly at: string; readonly text: string }[]
}

/**
 * Cases as records, one per change, written once: a change counts in every process as soon as it is durable, and no two are
 * both the seventh. What was there before stays: a note that was removed is still there.
 */
export class CaseShelf {
  readonly #records: Records
  readonly #cases = new Map<string, CaseEvent[]>()

  constructor(records: Records) {
    this.#records = records
  }

  /** Names are somebody's and no path: they go into the id as a hash. */
  static ownId(subject: string): string {
    return `M-${createHash('sha256').update(subject).digest('hex').slice(0, 20).toUpperCase()}`
  }

  /** Changed last first. */
  async list(): Promise<Case[]> {
    await this.#catchUp()
    return [...this.#cases.keys()].map((id) => this.#fold(id)).sort((a, b) => (a.changedAt < b.changedAt ? 1 : -1))
  }

  /** Undefined where there is none. */
  async get(id: string): Promise<Case | undefined> {
    await this.#catchUp()
    return this.#cases.has(id) ? this.#fold(id) : undefined
  }

  /** For a case to be created, so that it can be told of before. Rejects LIMIT_REACHED. */
  async newId(): Promise<string> {
    await this.#catchUp()
    if (this.#cases.size >= MAX_CASES) throw new ApplianceError('LIMIT_REACHED', `there are ${MAX_CASES} cases already`)
    return `C-${Array.from({ length: 10 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`
  }

  /** Durable when it resolves. */
  async create(id: string, title: string, by: string, at: string): Promise<Case> {
    return this.#begin(id, { act: 'create', title, own: false, by, at })
  }

  /** Somebody's own bookmarks, made at their first. */
  async own(by: string, at: string): Promise<Case> {
    const id = CaseShelf.ownId(by)
    return (await this.get(id)) ?? this.#begin(id, { act: 'create', title: 'My bookmarks', own: true, by, at })
  }

  /** Rejects what `change` would as things stand. */
  async checkChange(id: string, change: CaseChange): Promise<void> {
    await this.#catchUp()
    this.#numberOf(id, change)
  }

  /** Durable when it resolves. Rejects API_CONFLICT for what is closed or not there to be removed, LIMIT_REACHED. */
  async change(id: string, change: CaseChange, by: string, at: string): Promise<Case> {
    for (;;) {
      await this.#catchUp()
      if (await this.#write(id, this.#numberOf(id, change), { ...change, by, at })) break
      // Another process was quicker: what it wrote is read, and the change judged again.
    }
    await this.#catchUp()
    return this.#fold(id)
  }

  /** The number that a change would have now. Throws where it may not be made. */
  #numberOf(id: string, change: CaseChange): number {
    check(this.#fold(id), change)
    const n = this.#cases.get(id)?.length ?? 0
    if (n >= MAX_CHANGES) throw new ApplianceError('LIMIT_REACHED', `this case has ${MAX_CHANGES} changes; begin another`)
    return n
  }

  async #begin(id: string, event: CaseEvent): Promise<Case> {
    await this.#write(id, 0, event)
    await this.#catchUp()
    return this.#fold(id)
  }

  #write(id: string, n: number, event: CaseEvent): Promise<boolean> {
    return this.#records.create(`${id}.${String(n).padStart(5, '0')}.json`, JSON.stringify(event))
  }

  async #catchUp(): Promise<void> {
    for (const name of await this.#records.names('')) {
      const [, id = '', number = ''] = /^([CM]-[0-9A-Z]{10,20})\.(\d{5})\.json$/.exec(name) ?? []
      const events = this.#cases.get(id) ?? []
      if (id === '' || Number(number) !== events.length) continue
      const text = await this.#records.read(name)
      if (text === undefined) continue
      // Two readers of one process may have come here at once.
      if (Number(number) === events.length) events.push(JSON.parse(text))
      this.#cases.set(id, events)
    }
  }

  #fold(id: string): Case {
    const [first, ...changes] = this.#cases.get(id) ?? []
    if (first?.act !== 'create') throw new ApplianceError('API_UNKNOWN', 'there is no such case')
    let { title } = first
    let state: Case['state'] = 'open'
    let items: Omit<CaseItem, 'shown'>[] = []
    const notes: { readonly by: string; readonly at: string; readonly text: string }[] = []
    for (const [index, change] of changes.entries()) {
      const { by, at } = change
      if (change.act === 'add') {
        const { act: _, note = '', ...item } = change
        items.push({ ...item, note, n: index })
      } else if (change.act === 'remove') items = items.filter(({ n }) => n !== change.n)
      else if (change.act === 'note') notes.push({ by, at, text: change.text })
      else if (change.act === 'rename') title = change.title
      else if (change.act === 'close' || change.act === 'reopen') {
        state = change.act === 'close' ? 'closed' : 'open'
        notes.push({ by, at, text: `${change.act === 'close' ? 'Closed' : 'Opened again'}: ${change.reason}` })
      }
    }
    const changedAt = changes.at(-1)?.at ?? first.at
    return { id, title, state, by: first.by, createdAt: first.at, changedAt, own: first.own, items, notes }
  }
}

function check(now: Case, change: CaseChange): void {
  if (now.state === 'closed' && change.act !== 'reopen' && change.act !== 'note')
    throw new ApplianceError('API_CONFLICT', 'this case is closed; open it again first')
  if (now.state === 'open' && change.act === 'reopen') throw new ApplianceError('API_CONFLICT', 'this case is open')
  if (now.own && change.act !== 'add' && change.act !== 'remove')
    throw new ApplianceError('API_CONFLICT', 'bookmarks of one’s own are added and removed, no more')
  if (change.act === 'remove' && !now.items.some(({ n }) => n === change.n))
    throw new ApplianceError('API_CONFLICT', 'that is not in this case any more')
}
