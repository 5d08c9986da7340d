import { posix } from 'node:path'
import type { FileOperation } from '../../../../schemas/policy.ts'
import { SshOutput } from '../output.ts'
import { SftpMessage } from './messages.ts'
import { packet, TYPE } from './packets.ts'
import type { Pending } from './pending.ts'

/** The first of ours; clients count from 0, and no two of theirs may be on their way with one of these either. */
const FIRST_ID = 0xffff_fffe
/** Beneath are the client's. */
const LAST_ID = 0xffff_0000

/** Operations on what a path names, were it a link; the others reach what it leads to. */
const ON_LINKS: ReadonlySet<FileOperation> = new Set(['remove', 'rmdir', 'mkdir', 'rename', 'link', 'readlink'])

/** Where the paths of one request really are. */
export interface Resolved {
  /** To be passed on before the request. */
  readonly question: SftpMessage
  /** Undefined once it is known, or will not be. */
  pending(): Promise<void> | undefined
  /** As far as the target would say; where it would not, there is nothing. */
  paths(): readonly string[]
}

/**
 * Asks the target, which alone knows its links: REALPATH of a path, or, where the operation is on the link itself, of the folder it is in. What is asked and
 * answered is on the tape.
 */
export class Resolver {
  readonly #pending: Pending
  readonly #channel: number
  #id = FIRST_ID
  #left = false
  readonly #waiting = new Set<() => void>()

  constructor(pending: Pending, channel: number) {
    this.#pending = pending
    this.#channel = channel
  }

  /** Undefined where there is nothing to ask: whoever asks where a path leads reaches nothing by that. */
  resolve(operations: readonly FileOperation[], paths: readonly string[]): Resolved | undefined {
    if (paths.length === 0 || this.#left || operations.every((operation) => operation === 'realpath')) return undefined
    const itself = operations.every((operation) => ON_LINKS.has(operation))
    const found = new Map<number, string>()
    let open = paths.length
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => {
      open = 0
      this.#waiting.delete(wake)
      resolve()
    }
    this.#waiting.add(wake)
    const asked = paths.map((path, index) => {
      const { dir, base } = partsOf(path)
      const asks = itself ? dir : path
      const id = this.nextId()
      this.#pending.add(id, {
        is: 'where',
        path: asks,
        tell: (answer) => {
          if (answer !== undefined) found.set(index, itself ? posix.join(answer, base) : answer)
          if (--open <= 0) wake()
        },
      })
      return { id, asks }
    })
    const question = new SftpMessage({
      from: 'client',
      kind: 'file-request',
      channel: this.#channel,
      bytes: new Uint8Array(),
      answersGateway: true,
      release: () =>
        asked.map(
          ({ id, asks }) =>
            new SshOutput('server', this.#channel, { act: 'data' }, packet(TYPE.realpath, id, asks), {
              kind: 'file-request',
              facts: { operations: ['realpath'], path: asks },
            }),
        ),
      // Then the request itself will hardly be let through; it is judged by its names.
      refuse: () => {
        for (const { id } of asked) this.#pending.take(id)
        wake()
        return []
      },
    })
    return { question, pending: () => (open > 0 ? promise : undefined), paths: () => [...found.values()] }
  }

  /** The target answers nothing any more. */
  leave(): void {
    this.#left = true
    for (const wake of [...this.#waiting]) wake()
  }

  /** Of the next question of ours. */
  nextId(): number {
    do this.#id = this.#id <= LAST_ID ? FIRST_ID : this.#id - 1
    while (this.#pending.has(this.#id))
    return this.#id
  }
}

/** `..` and `.` at the end are no names in a folder: they are folders themselves. */
function partsOf(path: string): { readonly dir: string; readonly base: string } {
  const trimmed = path.replace(/\/+$/, '')
  const base = posix.basename(trimmed)
  if (base === '' || base === '.' || base === '..') return { dir: path === '' ? '.' : path, base: '' }
  return { dir: posix.dirname(trimmed), base }
}
