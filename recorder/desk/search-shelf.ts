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

  /** Durable when it resolves. Rejects LIMIT_REACHED. */
  async save(ask: SavedSearchAsk, by: string, at: string): Promise<KeptSearch> {
    const own = (await this.list(by)).filter((search) => search.by === by)
    if (own.length >= MAX_SEARCHES)
      throw new ApplianceError('LIMIT_REACHED', `you have saved ${MAX_SEARCHES} searches; remove one first`)
    const search: KeptSearch = { ...ask, id: `S-${randomBytes(8).toString('hex')}`, by, at }
    await this.#records.create(`${search.id}.json`, JSON.stringify(search))
    return search
  }

  /** Rejects API_UNKNOWN where there is none, or it is somebody else's and `anybodys` is not set. */
  async remove(id: string, by: string, anybodys: boolean): Promise<void> {
    const search = (await this.list(by)).find((one) => one.id === id)
    if (search === undefined || (search.by !== by && !anybodys))
      throw new ApplianceError('API_UNKNOWN', 'there is no such search of yours')
    await this.#records.remove(`${search.id}.json`)
  }
}
