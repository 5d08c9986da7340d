/** The data types of SSH (RFC 4251, 5), read one after the other. Throws RangeError where there is less than is said. */
export class Reader {
  readonly #bytes: Buffer
  position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get done(): boolean {
    return this.position === this.#bytes.length
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.position)
    this.position += 4
    return value
  }

  uint64(): bigint {
    const value = this.#bytes.readBigUInt64BE(this.position)
    this.position += 8
    return value
  }

  skip(size: number): void {
    if (this.position + size > this.#bytes.length) throw new RangeError('more is said than there is')
    this.position += size
  }

  /** A view, not a copy. */
  string(): Uint8Array {
    const size = this.uint32()
    const from = this.position
    this.skip(size)
    return this.#bytes.subarray(from, from + size)
  }

  text(): string {
    return Buffer.from(this.string()).toString()
  }

  /** Strings inside a string, as a certificate has its principals. */
  list(): readonly string[] {
    const inner = new Reader(this.string())
    const items: string[] = []
    while (!inner.done) items.push(inner.text())
    return items
  }
}
