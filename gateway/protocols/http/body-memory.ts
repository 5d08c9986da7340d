/** A body that is held whole, its head and what masks add to it. */
const SIZE = (1024 + 64) * 1024
/** Smaller ones are garbage that costs nothing. */
const MIN_SIZE = 64 * 1024
/** 17 MiB a process, for as many answers at once. */
const MAX_KEPT = 16

const kept: Buffer[] = []

/**
 * Memory of one exchange's answer. Each body of a megabyte brings V8's next collection nearer, which looks at everything there is: they were half of
 * all the time. So what is known to be done with serves again.
 */
export class BodyMemory {
  readonly #find: () => Promise<() => void>
  #taken: Buffer | undefined
  #leave: (() => void) | undefined

  /** `find`: room for a large body; what it resolves to gives it back. */
  constructor(find: () => Promise<() => void> = async () => () => undefined) {
    this.#find = find
  }

  /** Resolves when its bodies may be large, until `leave`. */
  async large(): Promise<void> {
    this.#leave ??= await this.#find()
  }

  /** Whether it has room for large bodies already. */
  get isLarge(): boolean {
    return this.#leave !== undefined
  }

  /** Its large bodies are not held any more. */
  leave(): void {
    this.#leave?.()
    this.#leave = undefined
  }

  /** `size` bytes with anything in them. */
  take(size: number): Buffer {
    if (size < MIN_SIZE || size > SIZE || this.#taken !== undefined) return Buffer.allocUnsafe(size)
    this.#taken = kept.pop() ?? Buffer.allocUnsafeSlow(SIZE)
    return this.#taken.subarray(0, size)
  }

  /** Only once nobody can read it any more: what was written is with the operating system, what was recorded is recorded. */
  giveBack(): void {
    if (this.#taken !== undefined && kept.length < MAX_KEPT) kept.push(this.#taken)
    this.#taken = undefined
  }
}
