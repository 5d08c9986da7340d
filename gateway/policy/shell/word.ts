/** A piece of a word, as far as it is known before the command runs. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  /** A pattern the shell expands to file names: `*`, `?`, `[...]`. */
  | { readonly kind: 'glob'; readonly text: string }
  /** The home directory of whoever runs the command. */
  | { readonly kind: 'home' }
  /** Any text. `many`: unquoted, so that it may be no word, one or several. `source` is shown: `$name`, `$()`. */
  | { readonly kind: 'any'; readonly source: string; readonly many: boolean }

/** One word of a command after everything the shell does to it that can be foreseen. */
export type Word = readonly Piece[]

export function textWord(text: string): Word {
  return [{ kind: 'text', text }]
}

/** A word nothing is known of. */
export function anyWord(source: string, many: boolean): Word {
  return [{ kind: 'any', source, many }]
}

/** The word's exact text; undefined where a part of it is only known when it runs. */
export function literalOf(word: Word | undefined): string | undefined {
  if (word === undefined || !word.every((piece) => piece.kind === 'text')) return undefined
  return word.map((piece) => (piece.kind === 'text' ? piece.text : '')).join('')
}

/** The text the word surely begins with. */
export function prefixOf(word: Word): string {
  const end = word.findIndex((piece) => piece.kind !== 'text')
  return literalOf(end === -1 ? word : word.slice(0, end)) ?? ''
}

export function isKnown(word: Word): boolean {
  return word.every((piece) => piece.kind !== 'any')
}

export function isMany(word: Word): boolean {
  return word.some((piece) => piece.kind === 'any' && piece.many)
}

const PLAIN = /^[A-Za-z0-9_@%+=:,./^-]+$/

/**
 * The word in one canonical spelling that `readWords` reads back: plain or in single quotes what is text, bare `*` and `?` what are
 * patterns, `~` the home directory, `$name` and `"$name"` what is not known.
 */
export function showWord(word: Word): string {
  if (word.length === 0) return "''"
  return word.map(showPiece).join('')
}

function showPiece(piece: Piece): string {
  switch (piece.kind) {
    case 'text':
      if (PLAIN.test(piece.text)) return piece.text
      return `'${piece.text.replaceAll("'", "'\\''")}'`
    case 'glob':
      return piece.text
    case 'home':
      return '~'
    case 'any':
      return piece.many ? piece.source : `"${piece.source}"`
    default:
      return piece satisfies never
  }
}

export function showWords(words: readonly Word[]): string {
  return words.map(showWord).join(' ')
}

const TOKEN = /'[^']*'|\\'|"\$[^"]*"|\$(?:[A-Za-z0-9_@*#?$!-]+|\(\))|\[[^\] ]*\]|[*?~ ]|[A-Za-z0-9_@%+=:,./^-]+/gy

/** Reads what `showWords` wrote. Never throws; linear. */
export function readWords(line: string): Word[] {
  const words: Piece[][] = [[]]
  for (const [token] of line.matchAll(TOKEN)) {
    if (token === ' ') words.push([])
    else words.at(-1)?.push(readPiece(token))
  }
  return words.map(join)
}

function readPiece(token: string): Piece {
  if (token.startsWith("'")) return { kind: 'text', text: token.slice(1, -1) }
  if (token === "\\'") return { kind: 'text', text: "'" }
  if (token.startsWith('"')) return { kind: 'any', source: token.slice(1, -1), many: false }
  if (token.startsWith('$')) return { kind: 'any', source: token, many: true }
  if (token === '~') return { kind: 'home' }
  if (token === '*' || token === '?' || token.startsWith('[')) return { kind: 'glob', text: token }
  return { kind: 'text', text: token }
}

/** Neighbouring texts as one; empty ones, which only quotes leave, gone. */
export function join(pieces: readonly Piece[]): Word {
  const joined: Piece[] = []
  for (const piece of pieces) {
    const last = joined.at(-1)
    if (piece.kind !== 'text') joined.push(piece)
    else if (last?.kind === 'text') joined[joined.length - 1] = { kind: 'text', text: last.text + piece.text }
    else if (piece.text !== '') joined.push(piece)
  }
  return joined
}
