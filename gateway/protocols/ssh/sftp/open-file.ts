import { createHash, type Hash } from 'node:crypto'
import type { Facts } from '../../../../schemas/frame.ts'
import { ReadContent, WriteContent } from './content.ts'
import type { Read } from './reads.ts'

/** The content of one direction, as long as it comes in its order. */
class Transfer {
  size = 0
  #hash: Hash | undefined = createHash('sha256')

  add(offset: number, bytes: Uint8Array): void {
    if (offset === this.size) this.#hash?.update(bytes)
    else this.#hash = undefined
    this.size += bytes.length
  }

  /** Of all of it, from the beginning; undefined where parts were left out, or came out of turn. */
  digest(): string | undefined {
    return this.#hash?.copy().digest('hex')
  }
}

/** A file or a folder that a client has open. */
export class OpenFile {
  /** The number of the request that opened it: what is read and written belongs to it. */
  readonly statement: number
  readonly path: string
  /** Where that leads, as the target said. */
  readonly resolved: readonly string[]
  readonly content = new ReadContent()
  /** In their order, until they are answered. */
  readonly reads: Read[] = []
  readonly written = new WriteContent()
  #down: Transfer | undefined
  #up: Transfer | undefined

  constructor(statement: number, path: string, resolved: readonly string[] = []) {
    this.statement = statement
    this.path = path
    this.resolved = resolved
  }

  /** The client was given this. */
  gave(offset: number, bytes: Uint8Array): void {
    this.#down ??= new Transfer()
    this.#down.add(offset, bytes)
  }

  /** The target was given this. */
  took(offset: number, bytes: Uint8Array): void {
    this.#up ??= new Transfer()
    this.#up.add(offset, bytes)
  }

  /** What went through it. A hash of what was masked on the tape would tell what was masked: there is none. */
  summary(): Facts {
    const down = this.#down?.digest()
    const up = this.written.masked ? undefined : this.#up?.digest()
    return {
      path: this.path,
      statement: this.statement,
      ...(this.#down === undefined ? {} : { downloaded: this.#down.size }),
      ...(down === undefined ? {} : { downloaded_sha256: down }),
      ...(this.#up === undefined ? {} : { uploaded: this.#up.size }),
      ...(up === undefined ? {} : { uploaded_sha256: up }),
    }
  }
}
