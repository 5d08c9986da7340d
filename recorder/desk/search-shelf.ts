import { randomBytes } from 'node:crypto'
import type { SavedSearch, SavedSearchAsk } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Records } from './records.ts'

/** Of one person. */
const MAX_SEARCHES = 200

export type KeptSearch = Omit<SavedSearch, 'may'>

/** Searches that people keep, a record each. No evidence: whoever saved one removes it for good. */
export class SearchShelf {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /** Those of this person, and those that others share; by name. */
  async list(subject: string): Promise<KeptSearch[]> {
    const kept: KeptSearch[] = []
    for (const [name, text] of await this.#records.all('')) {
      if (!/^S-[0-9a-f]{16}\.json$/.test(name)) continue
      const search: KeptSearch = JSON.parse(text)
      if (search.shared || search.by === subject) kept.push(search)
    }
    return kept.sort((a, b) => a.name.localeCompare(b.name, 'en') || (a.id < b.id ? -1 : 1))
  }

  /** For a search of this person to be saved, so that it can be told of before. Rejects LIMIT_REACHED. */
  async newId(by: string): Promise<string> {
    const own = (await this.list(by)).filter((search) => search.by === by)
    if (own.length >= MAX_SEARCHES)
      throw new ApplianceError('LIMIT_REACHED', `you have saved ${MAX_SEARCHES} searches; remove one first`)
    return `S-${randomBytes(8).toString('hex')}`
  }

  /** Durable when it resolves. */
  async save(id: string, ask: SavedSearchAsk, by: string, at: string): Promise<KeptSearch> {
    const search: KeptSearch = { ...ask, id, by, at }
    await this.#records.create(`${search.id}.json`, JSON.stringify(search))
    return search
  }

  /** One that this person may remove. Rejects API_UNKNOWN where there is none, or it is somebody else's and `anybodys` is not set. */
  async removable(id: string, by: string, anybodys: boolean): Promise<KeptSearch> {
    const search = (await this.list(by)).find((one) => one.id === id)
    if (search === undefined || (search.by !== by && !anybodys))
      throw new ApplianceError('API_UNKNOWN', 'there is no such search of yours')
    return search
  }

  async remove({ id }: KeptSearch): Promise<void> {
    await this.#records.remove(`${id}.json`)
  }
}
