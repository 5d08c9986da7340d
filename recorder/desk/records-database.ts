import type { Askers, Records } from './records.ts'
import type { SharedDatabase } from './shared-database.ts'

/** Notifications may be lost; whoever waits looks again this often. */
const POLL_MS = 2_000
/** What was read counts for as long without having heard that nothing changed. */
const TRUSTED_MS = 3_000

interface Cached {
  readonly texts: ReadonlyMap<string, string>
  /** Asked for at this moment, or heard until then that it stands. */
  readonly asOfMs: number
}

/** Records of one area as rows of a database that machines share. */
export class DatabaseRecords implements Records {
  readonly #database: SharedDatabase
  readonly #area: string
  readonly #cached = new Map<string, Cached>()
  readonly #waiters = new Set<{ readonly prefix: string; readonly wake: () => void }>()
  readonly #deaf: () => void
  /** Changes heard of. */
  #heard = 0

  constructor(database: SharedDatabase, area: string) {
    this.#database = database
    this.#area = area
    this.#deaf = database.hear((path) => this.#hear(path))
  }

  async create(path: string, text: string): Promise<boolean> {
    const made = await this.#database.query(
      `insert into desk.records (folder, name, value) values ($1, $2, $3) on conflict do nothing returning ${TOLD}`,
      [...this.#place(path), text],
    )
    this.#forgetRead(path)
    return made.length > 0
  }

  async replace(path: string, text: string): Promise<void> {
    await this.#database.query(
      `insert into desk.records (folder, name, value) values ($1, $2, $3)
       on conflict (folder, name) do update set value = excluded.value, at = now() returning ${TOLD}`,
      [...this.#place(path), text],
    )
    this.#forgetRead(path)
  }

  async swap(path: string, before: string | undefined, text: string): Promise<boolean> {
    if (before === undefined) return this.create(path, text)
    const changed = await this.#database.query(
      `update desk.records set value = $4, at = now() where folder = $1 and name = $2 and value = $3 returning ${TOLD}`,
      [...this.#place(path), before, text],
    )
    this.#forgetRead(path)
    return changed.length > 0
  }

  async read(path: string): Promise<string | undefined> {
    const rows = await this.#database.query<{ value: string }>(
      'select value from desk.records where folder = $1 and name = $2',
      this.#place(path),
    )
    return rows[0]?.value
  }

  async names(folder: string): Promise<readonly string[]> {
    const rows = await this.#database.query<{ name: string }>('select name from desk.records where folder = $1 order by name', [
      this.#folder(folder),
    ])
    return rows.map(({ name }) => name)
  }

  async all(folder: string): Promise<ReadonlyMap<string, string>> {
    const cached = this.#cached.get(folder)
    const askedMs = performance.now()
    if (cached !== undefined && askedMs - Math.max(cached.asOfMs, this.#database.heardUntil()) < TRUSTED_MS) return cached.texts
    const heard = this.#heard
    const rows = await this.#database.query<{ name: string; value: string }>(
      'select name, value from desk.records where folder = $1 order by name',
      [this.#folder(folder)],
    )
    const read = new Map(rows.map(({ name, value }) => [name, value]))
    const texts = cached !== undefined && same(cached.texts, read) ? cached.texts : read
    // What was heard of meanwhile may be missing in the answer.
    if (this.#heard === heard) this.#cached.set(folder, { texts, asOfMs: askedMs })
    return texts
  }

  async remove(path: string): Promise<void> {
    await this.#database.query(`delete from desk.records where folder = $1 and name = $2 returning ${TOLD}`, this.#place(path))
    this.#forgetRead(path)
  }

  async forget(olderThanMs: number): Promise<void> {
    await this.#database.query(
      `delete from desk.records where (folder = $1 or starts_with(folder, $1 || '/')) and at < now() - make_interval(secs => $2)`,
      [this.#area, olderThanMs / 1_000],
    )
  }

  next(prefix: string, signal: AbortSignal, maxMs = POLL_MS): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#waiters.delete(waiter)
        resolve()
      }
      const waiter = { prefix, wake: done }
      const timer = setTimeout(done, Math.max(0, Math.min(maxMs, POLL_MS)))
      signal.addEventListener('abort', done, { once: true })
      this.#waiters.add(waiter)
      if (signal.aborted) done()
    })
  }

  [Symbol.dispose](): void {
    this.#deaf()
    for (const { wake } of [...this.#waiters]) wake()
  }

  #hear(path: string | undefined): void {
    const own = path === undefined ? '' : path.startsWith(`${this.#area}/`) ? path.slice(this.#area.length + 1) : undefined
    if (own === undefined) return
    if (path === undefined) this.#cached.clear()
    this.#forgetRead(own)
    for (const { prefix, wake } of [...this.#waiters]) if (path === undefined || own.startsWith(prefix)) wake()
  }

  /** Of what changed here, too: whoever wrote it need not wait until they hear of it. */
  #forgetRead(path: string): void {
    this.#heard += 1
    this.#cached.delete(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')
  }

  #folder(folder: string): string {
    return folder === '' ? this.#area : `${this.#area}/${folder}`
  }

  #place(path: string): [folder: string, name: string] {
    const slash = path.lastIndexOf('/')
    return [this.#folder(slash < 0 ? '' : path.slice(0, slash)), path.slice(slash + 1)]
  }
}

/** As part of the statement that changes the row, so that it is told when it is true. */
const TOLD = `pg_notify('sallyport_desk', folder || '/' || name)`

/** Those who wait on wires, as rows; a process counts as long as it gives signs of life. */
export class DatabaseAskers implements Askers {
  readonly #database: SharedDatabase
  readonly #own = new Map<string, string[]>()

  constructor(database: SharedDatabase) {
    this.#database = database
  }

  async join(id: string): Promise<void> {
    const asker = await this.#database.join(id)
    this.#own.set(id, [...(this.#own.get(id) ?? []), asker])
  }

  async leave(id: string): Promise<void> {
    const [asker, ...others] = this.#own.get(id) ?? []
    if (others.length > 0) this.#own.set(id, others)
    else this.#own.delete(id)
    if (asker !== undefined) await this.#database.leave(asker)
  }

  awaited(id: string): Promise<boolean> {
    return this.#database.awaited(id)
  }
}

function same(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text)
}
