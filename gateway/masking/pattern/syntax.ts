import { type ByteSet, byteSet, DIGIT, foldCase, WORD } from '../bytes.ts'

/**
 * A pattern over bytes. `boundary` is `\b`; it may stand at either end of an alternative only, which `branches` sees to.
 * A set matches one byte, never none.
 */
export type Node =
  | { readonly type: 'set'; readonly set: ByteSet }
  | { readonly type: 'boundary' }
  | { readonly type: 'seq'; readonly items: readonly Node[] }
  | { readonly type: 'alt'; readonly items: readonly Node[] }
  | { readonly type: 'repeat'; readonly item: Node; readonly min: number; readonly max: number }

const MAX_DEPTH = 20
const MAX_COUNT = 1_000

const BLANK = byteSet(' \t\n\f\r')
const CONTINUATION = between(0x80, 0xbf)
/** Any character of UTF-8 past ASCII, by its first byte. */
const WIDE: Node = {
  type: 'alt',
  items: [
    sequence([between(0xc2, 0xdf), CONTINUATION]),
    sequence([between(0xe0, 0xef), CONTINUATION, CONTINUATION]),
    sequence([between(0xf0, 0xf4), CONTINUATION, CONTINUATION, CONTINUATION]),
  ],
}

/**
 * Reads a pattern in the part of RE2's syntax that says what a value looks like wherever it stands: literals, classes, groups, `|`, `?`, `*`,
 * `+`, `{m,n}`, `\b` at an end, `(?i)` at the beginning. The text is UTF-8; case is ignored of ASCII letters only. `source` has been
 * found to be RE2's syntax; throws SyntaxError for what is not in the part.
 */
export function parsePattern(source: string): Node {
  const ignoreCase = source.startsWith('(?i)')
  const reader = new Reader([...source.slice(ignoreCase ? 4 : 0)], ignoreCase)
  return reader.alternatives(0)
}

class Reader {
  readonly #text: readonly string[]
  readonly #ignoreCase: boolean
  #at = 0

  constructor(text: readonly string[], ignoreCase: boolean) {
    this.#text = text
    this.#ignoreCase = ignoreCase
  }

  alternatives(depth: number): Node {
    if (depth > MAX_DEPTH) throw new SyntaxError(`groups stand more than ${MAX_DEPTH} deep`)
    const items = [this.#sequence(depth)]
    while (this.#take('|')) items.push(this.#sequence(depth))
    if (depth === 0 && this.#at < this.#text.length) throw new SyntaxError('a group is closed that was not opened')
    return items.length === 1 && items[0] !== undefined ? items[0] : { type: 'alt', items }
  }

  #sequence(depth: number): Node {
    const items: Node[] = []
    for (let next = this.#text[this.#at]; next !== undefined && next !== '|' && next !== ')'; next = this.#text[this.#at])
      items.push(this.#repeated(this.#atom(depth)))
    return { type: 'seq', items }
  }

  #repeated(item: Node): Node {
    const range = this.#range()
    if (range === undefined) return item
    if (item.type === 'boundary') throw new SyntaxError('\\b cannot be repeated')
    if (this.#text[this.#at] === '?')
      throw new SyntaxError('there is no lazy repeat: the longest value is masked; leave out the ? behind it')
    const [min, max] = range
    return { type: 'repeat', item, min, max }
  }

  #range(): readonly [min: number, max: number] | undefined {
    if (this.#take('?')) return [0, 1]
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY]
    const written = /^\{(\d{1,4})(,(\d{1,4})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 12).join(''))
    if (written === null) return undefined
    const [whole, min = '', comma, max] = written
    this.#at += whole.length
    const most = comma === undefined ? Number(min) : max === undefined ? Number.POSITIVE_INFINITY : Number(max)
    if (Number(min) > MAX_COUNT || (most > MAX_COUNT && most !== Number.POSITIVE_INFINITY))
      throw new SyntaxError(`nothing is repeated more than ${MAX_COUNT} times`)
    return [Number(min), most]
  }

  #atom(depth: number): Node {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group(depth)
      case '[':
        return this.#class()
      case '.':
        return anyBut(byteSet('\n'))
      case '^':
      case '$':
        throw new SyntaxError(
          `${character} has no meaning: a value may stand anywhere in a text; write \\b where a word begins or ends`,
        )
      case '\\': {
        if (this.#text[this.#at] === 'b') {
          this.#at++
          return { type: 'boundary' }
        }
        return this.#escape()
      }
      default:
        return this.#character(character)
    }
  }

  #group(depth: number): Node {
    if (this.#take('?')) {
      const opening = /^(?::|P?<\w+>)/.exec(this.#text.slice(this.#at, this.#at + 64).join(''))
      if (opening === null) throw new SyntaxError('of flags only (?i) is known, at the beginning of the pattern')
      this.#at += opening[0].length
    }
    const inside = this.alternatives(depth + 1)
    if (!this.#take(')')) throw new SyntaxError('a group is not closed')
    return inside
  }

  #escape(): Node {
    const character = this.#next()
    const known = CLASSES[character]
    if (known !== undefined) return this.#folded(known)
    if (CLASSES[character.toLowerCase()] !== undefined) return anyBut(CLASSES[character.toLowerCase()] ?? WORD)
    const code = this.#code(character)
    if (code > 0x7f) throw new SyntaxError('write characters past ASCII as they are')
    return this.#folded(only(code))
  }

  /** The code that stands behind a backslash. */
  #code(character: string): number {
    const control = CONTROLS[character]
    if (control !== undefined) return control
    if (character === 'x') {
      const digits = this.#text.slice(this.#at, this.#at + 2).join('')
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw new SyntaxError('behind \\x stand two hex digits')
      this.#at += 2
      return Number.parseInt(digits, 16)
    }
    if (/[A-Za-z0-9]/.test(character)) throw new SyntaxError(`\\${character} is not known`)
    return character.codePointAt(0) ?? 0
  }

  #class(): Node {
    const negated = this.#take('^')
    const set = new Uint8Array(256)
    const wide: Node[] = []
    for (let first = true; first || this.#text[this.#at] !== ']'; first = false) {
      const from = this.#member()
      if (typeof from !== 'number') {
        from.forEach((member, byte) => {
          if (member === 1) set[byte] = 1
        })
        continue
      }
      const isRange = this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']'
      if (isRange) this.#at++
      const to = isRange ? this.#member() : from
      if (typeof to !== 'number') throw new SyntaxError('a range of characters ends with a character')
      if (from > 0x7f || to > 0x7f) {
        if (negated || isRange)
          throw new SyntaxError('a class names characters past ASCII one by one, and leaves none of them out')
        wide.push(literal(String.fromCodePoint(from)))
      } else {
        if (to < from) throw new SyntaxError('a range of characters goes backwards')
        set.fill(1, from, to + 1)
      }
    }
    this.#at++
    const folded = this.#ignoreCase ? foldCase(set) : set
    if (negated) return anyBut(folded)
    const narrow: Node = { type: 'set', set: folded }
    return wide.length === 0 ? narrow : { type: 'alt', items: folded.includes(1) ? [narrow, ...wide] : wide }
  }

  /** One member of a class: a set, or the code of a character, which may begin a range. */
  #member(): ByteSet | number {
    const character = this.#next()
    if (character === '[' && this.#text[this.#at] === ':')
      throw new SyntaxError('write [[:alpha:]] and its like as ranges, [A-Za-z]')
    if (character !== '\\') return character.codePointAt(0) ?? 0
    const escaped = this.#next()
    const known = CLASSES[escaped]
    if (known !== undefined) return known
    if (CLASSES[escaped.toLowerCase()] !== undefined) throw new SyntaxError(`\\${escaped} cannot stand in a class`)
    return this.#code(escaped)
  }

  #character(character: string): Node {
    const code = character.codePointAt(0) ?? 0
    return code > 0x7f ? literal(character) : this.#folded(only(code))
  }

  #folded(set: ByteSet): Node {
    return { type: 'set', set: this.#ignoreCase ? foldCase(set) : set }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #next(): string {
    const character = this.#text[this.#at++]
    if (character === undefined) throw new SyntaxError('the pattern ends in the middle of something')
    return character
  }
}

const CLASSES: Readonly<Record<string, ByteSet>> = { d: DIGIT, w: WORD, s: BLANK }
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d }

function only(code: number): ByteSet {
  return between(code, code)
}

function between(from: number, to: number): ByteSet {
  return new Uint8Array(256).fill(1, from, to + 1)
}

/** Any one character but the ASCII ones in `set`. */
function anyBut(set: ByteSet): Node {
  const narrow = set.map((member, byte) => (byte < 0x80 ? 1 - member : 0))
  return { type: 'alt', items: narrow.includes(1) ? [{ type: 'set', set: narrow }, WIDE] : [WIDE] }
}

function literal(text: string): Node {
  return sequence([...Buffer.from(text)].map(only))
}

function sequence(sets: readonly ByteSet[]): Node {
  return { type: 'seq', items: sets.map((set) => ({ type: 'set', set })) }
}
