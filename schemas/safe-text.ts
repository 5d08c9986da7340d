/**
 * What could act on a terminal or change how text reads: C0 and C1 controls, formats (zero-width, bidi, soft hyphen, tags),
 * line and paragraph separators, lone surrogates, private use, and everything else that shows nothing (variation selectors, fillers).
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]/gu

/** Text of others, safe to print on one line: every unsafe character shown as `\n`, `\t`, `\x1b` or `\u{202e}`. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, escaped)
}

/** As safeText, but line breaks and tabs stay, for text that is read as a block. CR alone, which overwrites a line, is escaped. */
export function safeBlock(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(UNSAFE, (character) => (character === '\n' || character === '\t' ? character : escaped(character)))
}

/** Text in runs: as it is, or the escape of one unsafe character, so that a page can show which is which. Joined, the texts are safeBlock's or safeText's. */
export interface SafePiece {
  readonly text: string
  readonly escaped: boolean
}

/** `block`: line breaks and tabs stay as they are. */
export function safePieces(text: string, block = false): SafePiece[] {
  const source = block ? text.replaceAll('\r\n', '\n') : text
  const pieces: SafePiece[] = []
  let from = 0
  for (const match of source.matchAll(UNSAFE)) {
    const [character] = match
    if (block && (character === '\n' || character === '\t')) continue
    if (match.index > from) pieces.push({ text: source.slice(from, match.index), escaped: false })
    pieces.push({ text: escaped(character), escaped: true })
    from = match.index + character.length
  }
  if (from < source.length) pieces.push({ text: source.slice(from), escaped: false })
  return pieces
}

/** JSON that is safe to print: JSON.stringify leaves bidi, zero-width and C1 characters as they are. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNSAFE, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(''),
  )
}

function escaped(character: string): string {
  switch (character) {
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
    default: {
      const code = character.codePointAt(0) ?? 0
      return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
    }
  }
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
