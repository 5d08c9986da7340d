import { isSecretName, type ValueContext } from './assignment-rules.ts'
import { byteAt, latin1 } from './bytes.ts'
import { traitsOf } from './value-traits.ts'

/** How much of a value its judgement looks at. */
export const MAX_JUDGED_SIZE = 128

/** A name and a value as they stand in their bytes; one for all that are judged. Their texts are made when somebody asks for them. */
export class Candidate implements ValueContext {
  wordEnd = 0
  isQuoted = false
  isTight = false
  isArgument = false
  isLine = false
  isInCode = false
  #bytes: Uint8Array = new Uint8Array()
  #nameStart = 0
  #nameEnd = 0
  #start = 0
  #end = 0
  #name: string | undefined
  #value: string | undefined
  /** The name judged last: where there is one it comes again, row after row and line after line. */
  #known: Uint8Array = new Uint8Array()
  #knownWordEnd = 0
  #knownWord = ''
  #isSecret = false

  set(bytes: Uint8Array, nameStart: number, nameEnd: number, start: number, end: number): void {
    this.#bytes = bytes
    this.#nameStart = nameStart
    this.#nameEnd = nameEnd
    this.#start = start
    this.#end = Math.min(end, start + MAX_JUDGED_SIZE)
    this.#name = undefined
    this.#value = undefined
  }

  get name(): string {
    this.#name ??= latin1(this.#bytes, this.#nameStart, this.#nameEnd)
    return this.#name
  }

  get value(): string {
    this.#value ??= latin1(this.#bytes, this.#start, this.#end)
    return this.#value
  }

  get traits(): number {
    return traitsOf(this.#bytes, this.#start, this.#end)
  }

  get size(): number {
    return this.#end - this.#start
  }

  byteAt(index: number): number {
    return byteAt(this.#bytes, this.#start + index)
  }

  /** Whether the name is one of a secret, for this word in it. */
  hasSecretName(word: string): boolean {
    if (!this.#isKnown(word)) {
      // A copy: a Buffer's `slice` is none.
      this.#known = new Uint8Array(this.#bytes.subarray(this.#nameStart, this.#nameEnd))
      this.#knownWordEnd = this.wordEnd
      this.#knownWord = word
      this.#isSecret = isSecretName(this, word)
    }
    return this.#isSecret
  }

  #isKnown(word: string): boolean {
    const known = this.#known
    const start = this.#nameStart
    if (known.length !== this.#nameEnd - start || this.wordEnd !== this.#knownWordEnd || word !== this.#knownWord) return false
    for (let i = 0; i < known.length; i++) if (known[i] !== this.#bytes[start + i]) return false
    return true
  }
}
