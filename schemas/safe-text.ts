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
