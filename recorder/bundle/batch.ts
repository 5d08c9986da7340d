/** Rows put together before they are written. */
const WRITE_SIZE = 64 << 10

/** Small pieces, written together. */
export class Batch {
  readonly #write: (bytes: Uint8Array) => Promise<void>
  #parts: Uint8Array[] = []
  #size = 0

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write
  }

  async add(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      this.#parts.push(Buffer.from(part))
      this.#size += part.length
    }
    if (this.#size >= WRITE_SIZE) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#size > 0) await this.#write(Buffer.concat(this.#parts))
    this.#parts = []
    this.#size = 0
  }
}
