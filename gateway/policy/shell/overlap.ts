import { type Fits, globs } from '../globs.ts'
import { literalOf, type Word } from './word.ts'

/** More symbols than this are not compared one by one: such a word may be anything. */
const MAX_SYMBOLS = 400

/**
 * Tells whether a word may be a path that one of the patterns fits and none of those with `!` does. A pattern of the shell in the word
 * counts as all the names it may become, what is not known as any text; but something that is written must agree, else `*` would
 * be every file. `~/x` in a pattern is any home directory's. `surely`: what only may be one is none.
 */
export function pathGlobs(patterns: readonly string[], surely = false): (word: Word) => boolean {
  const all = patterns.flatMap(homes)
  const fits: Fits = globs(all)
  const wanted = all.filter((pattern) => !pattern.startsWith('!'))
  return (word) => {
    const text =
      literalOf(word) ?? (word[0]?.kind === 'home' ? literalOf([{ kind: 'text', text: '~' }, ...word.slice(1)]) : undefined)
    if (text !== undefined || surely) return text !== undefined && fits(text)
    if (wanted.length === 0) return true
    return wanted.some((pattern) => mayBe(word, pattern))
  }
}

function homes(pattern: string): string[] {
  const [, not = '', path] = /^(!?)~(\/.*)$/s.exec(pattern) ?? []
  return path === undefined ? [pattern] : [pattern, `${not}/root${path}`, `${not}/home/*${path}`]
}

/** A character; one of a name; any number of a name; any text. */
type Symbols = readonly { readonly kind: 'char' | 'one' | 'name' | 'all'; readonly char: string }[]

function symbolsOf(word: Word): Symbols {
  return word.flatMap((piece): Symbols => {
    if (piece.kind === 'text') return [...piece.text].map((char) => ({ kind: 'char', char }))
    if (piece.kind === 'home') return [{ kind: 'char', char: '~' }]
    if (piece.kind === 'any') return [{ kind: 'all', char: '' }]
    return [{ kind: piece.text === '*' ? 'name' : 'one', char: '' }]
  })
}

/** Whether some text fits both, with a character in common that both write. One pass over the table of both lengths. */
function mayBe(word: Word, pattern: string): boolean {
  const symbols = symbolsOf(word)
  if (symbols.length > MAX_SYMBOLS) return true
  const chars = [...pattern]
  const width = chars.length + 1
  // 1: reached; 2: reached with a character in common.
  const reached = new Uint8Array((symbols.length + 1) * width)
  reached[0] = 1
  const reach = (at: number, from: number, common: boolean): void => {
    reached[at] = (reached[at] ?? 0) | from | (common ? 2 : 0)
  }
  for (let row = 0; row <= symbols.length; row++) {
    for (let column = 0; column < width; column++) {
      const here = reached[row * width + column] ?? 0
      if (here === 0) continue
      const symbol = symbols[row]
      const char = chars[column]
      const down = (row + 1) * width + column
      const loose = symbol?.kind === 'name' || symbol?.kind === 'all'
      if (symbol !== undefined && (loose || char === '*')) reach(down, here, false)
      if (char === undefined) continue
      if (char === '*') reach(row * width + column + 1, here, false)
      else if (loose && (symbol.kind === 'all' || isOfName(char, chars[column - 1]))) reach(row * width + column + 1, here, false)
      else if (symbol?.kind === 'one' && isOfName(char, chars[column - 1])) reach(down + 1, here, false)
      else if (symbol?.kind === 'char' && symbol.char === char) reach(down + 1, here, char !== '/')
    }
  }
  return ((reached[symbols.length * width + chars.length] ?? 0) & 2) !== 0
}

/** A pattern of the shell makes no slash, and no dot at the beginning of a name. */
function isOfName(char: string, before: string | undefined): boolean {
  return char !== '/' && !(char === '.' && (before === '/' || before === undefined))
}
