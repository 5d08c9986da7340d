import type { SpoolFile } from './spool-file.ts'

/** Where a session's frames stand in the spool. */
export class SpoolSlot {
  readonly number: number
  readonly session: string
  #written = new Map<SpoolFile, number>()
  /** Of the file written to last, not in `#written` yet. */
  #file: SpoolFile | undefined
  #size = 0

  constructor(number: number, session: string) {
    this.number = number
    this.session = session
  }

  count(file: SpoolFile, size: number): void {
    if (file !== this.#file) this.#addUp(file)
    this.#size += size
  }

  #addUp(next: SpoolFile | undefined): void {
    const file = this.#file
    if (file !== undefined) this.#written.set(file, (this.#written.get(file) ?? 0) + this.#size)
    this.#file = next
    this.#size = 0
  }

  /** What was written since the last call: released together, once it is in the store. */
  take(): SpoolClaim {
    this.#addUp(undefined)
    const claim = this.#written
    this.#written = new Map()
    return claim
  }
}

export type SpoolClaim = ReadonlyMap<SpoolFile, number>
