import { ApplianceError } from '../../../../schemas/errors.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import type { OpenFile } from './open-file.ts'
import type { Read } from './reads.ts'

/** What was asked of the target, until it answers. */
export type Asked =
  | Read
  | {
      readonly is: 'open'
      readonly statement: number
      readonly path: string
      /** Where it leads. */
      readonly resolved: () => readonly string[]
      readonly facts: Facts
    }
  | { readonly is: 'write'; readonly file: OpenFile }
  | { readonly is: 'close'; readonly file: OpenFile }
  | { readonly is: 'other'; readonly facts: Facts }
  /** The gateway's own question for so many bytes that a read was not given; and how much is given at once. */
  | { readonly is: 'rest'; readonly read: Read; readonly length: number }
  | { readonly is: 'limits' }
  /** The gateway's own question where relative paths begin. */
  | { readonly is: 'home' }
  /** And where a path leads; `tell` is given nothing where the target does not say. */
  | { readonly is: 'where'; readonly path: string; readonly tell: (answer: string | undefined) => void }

/** So many answers are owed that nothing more is read from the client. Some clients ask for a whole file at once. */
const MAX_PENDING = 4_096

/** Requests on their way, by the client's own ids. */
export class Pending {
  readonly #asked = new Map<number, Asked>()
  /** Of these: what will be open. */
  opening = 0
  #wake: (() => void) | undefined
  #over = false

  /** Throws PROTOCOL_MALFORMED where this id is on its way already: its answer could not be told from the other. */
  add(id: number, asked: Asked): void {
    if (this.#asked.has(id)) throw new ApplianceError('PROTOCOL_MALFORMED', `two requests of SFTP at once with the id ${id}`)
    this.#asked.set(id, asked)
    if (asked.is === 'open') this.opening++
  }

  has(id: number): boolean {
    return this.#asked.has(id)
  }

  take(id: number): Asked | undefined {
    const asked = this.#asked.get(id)
    if (asked === undefined) return undefined
    this.#asked.delete(id)
    if (asked.is === 'open') this.opening--
    if (this.#asked.size <= MAX_PENDING / 2) this.#wake?.()
    return asked
  }

  /** What was asked by a read, or for the rest of one; undefined, and left, where this id is of something else. */
  takeRead(id: number): Extract<Asked, { is: 'read' | 'rest' }> | undefined {
    const asked = this.#asked.get(id)
    if (asked?.is !== 'read' && asked?.is !== 'rest') return undefined
    this.take(id)
    return asked
  }

  /** Files that nobody has said are closed. */
  closing(): OpenFile[] {
    return [...this.#asked.values()].flatMap((asked) => (asked.is === 'close' ? [asked.file] : []))
  }

  /** Undefined while more may be asked; else resolves when it may, or nothing is answered any more. */
  room(): Promise<void> | undefined {
    if (this.#over || this.#asked.size <= MAX_PENDING) return undefined
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  end(): void {
    this.#over = true
    this.#wake?.()
  }
}
