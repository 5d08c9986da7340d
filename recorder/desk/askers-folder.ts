import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../files.ts'
import { lifeOf, OWN_MARK, parseMark } from '../process-mark.ts'
import { makeFolder } from './exclusive-file.ts'
import type { Askers } from './records.ts'

/** One file each, `<id>.<random>`, with the mark of its process. */
export class FolderAskers implements Askers {
  readonly #folder: string
  readonly #own = new Map<string, string[]>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async join(id: string): Promise<void> {
    await makeFolder(this.#folder)
    const path = join(this.#folder, `${id}.${randomBytes(8).toString('hex')}`)
    await writeFile(path, JSON.stringify(OWN_MARK), { flag: 'wx', mode: 0o600 })
    this.#own.set(id, [...(this.#own.get(id) ?? []), path])
  }

  async leave(id: string): Promise<void> {
    const [path, ...others] = this.#own.get(id) ?? []
    if (others.length > 0) this.#own.set(id, others)
    else this.#own.delete(id)
    if (path !== undefined) await rm(path, { force: true })
  }

  /** Whether a wire still waits for the request. Those of processes that died do not count, and are cleared away. */
  async awaited(id: string): Promise<boolean> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    for (const name of names) {
      if (!name.startsWith(`${id}.`)) continue
      const path = join(this.#folder, name)
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      })
      if (text === undefined) continue // left meanwhile
      const mark = parseMark(text)
      if (mark === undefined || lifeOf(mark) !== 'dead') return true
      await rm(path, { force: true })
    }
    return false
  }
}
