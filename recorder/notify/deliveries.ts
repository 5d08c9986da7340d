import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { isErrno } from '../desk/exclusive-file.ts'

const Delivered = Type.Object({
  /** Of the news. */
  news: Type.String(),
  /** Whether more may come. */
  open: Type.Boolean(),
  reference: Type.Optional(Type.String()),
})
export type Delivered = Static<typeof Delivered>
const checker = Compile(Delivered)

/** What one channel was told last of each request, so that nothing is told twice after a restart. A file each; one process writes. */
export class Deliveries {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open(folder: string): Promise<Deliveries> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return new Deliveries(folder)
  }

  /** A file that cannot be read is as good as none: then it is told again. */
  async last(approval: string): Promise<Delivered | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(this.#file(approval), 'utf8'))
      return checker.Check(value) ? value : undefined
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  async note(approval: string, delivered: Delivered): Promise<void> {
    const draft = join(this.#folder, `.${approval}.draft`)
    await writeFile(draft, JSON.stringify(delivered), { mode: 0o600 })
    await rename(draft, this.#file(approval))
  }

  /** Of requests that nobody keeps any longer. */
  async forget(approvals: readonly string[]): Promise<void> {
    for (const approval of approvals) await rm(this.#file(approval), { force: true })
  }

  /** All requests of which it is known what was told. */
  async known(): Promise<readonly string[]> {
    return (await readdir(this.#folder)).flatMap((name) => /^(A-[0-9A-Z]{8})\.json$/.exec(name)?.[1] ?? [])
  }

  /** Requests of which the channel was last told that they are open. */
  async open(): Promise<readonly string[]> {
    const ids = await this.known()
    const found = await Promise.all(ids.map(async (id) => ({ id, last: await this.last(id) })))
    return found.flatMap(({ id, last }) => (last?.open === false ? [] : [id]))
  }

  #file(approval: string): string {
    return join(this.#folder, `${approval}.json`)
  }
}
