import type { Piece } from './word.ts'

/**
 * A piece before brace expansion, which goes by `{`, `,` and `}` that stand unquoted (`brace`), and before the splitting of what came
 * out of unquoted expansions (`split`).
 */
export type RawPiece =
  | Piece
  | { readonly kind: 'brace'; readonly text: '{' | ',' | '}' }
  | { readonly kind: 'split'; readonly text: string }

/** What tree-sitter took for one word and bash would not: where they differ, nothing is known. */
export class Disagreement extends Error {}

/** Brackets of which cannot be told where they end (quotes or classes in them): whatever follows in the word may be inside. */
export const BRACKETS: RawPiece = { kind: 'any', source: '$()', many: false }
const PLAIN_BRACKETS = /^\[[A-Za-z0-9!^_.:-]+\]/
/** Longer ones are not told either. */
const MAX_BRACKETS = 256
const META = /[|&;()<> \t\n'"`]/
/** After these a dollar begins an expansion. */
const AFTER_DOLLAR = /[A-Za-z0-9_{([@*#?$!'"-]/

/** Unquoted text, escapes taken away (bash manual 3.1.2.1). Throws Disagreement at what would not be part of a word, or is an expansion. */
export function readBare(raw: string): RawPiece[] {
  const pieces: RawPiece[] = []
  let text = ''
  const flush = (): void => {
    if (text !== '') pieces.push({ kind: 'text', text })
    text = ''
  }
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at] ?? ''
    if (char === '\\') {
      at++
      const escaped = raw[at]
      if (escaped === undefined) throw new Disagreement('backslash at the end')
      if (escaped !== '\n') text += escaped
    } else if (META.test(char) || (char === '$' && AFTER_DOLLAR.test(raw[at + 1] ?? ''))) {
      throw new Disagreement('metacharacter in a word')
    } else if (char === '*' || char === '?') {
      flush()
      pieces.push({ kind: 'glob', text: char })
    } else if (char === '[') {
      const inside = PLAIN_BRACKETS.exec(raw.slice(at, at + MAX_BRACKETS))?.[0]
      if (raw === '[' || raw === '[[') text += char
      else {
        flush()
        if (inside !== undefined) {
          pieces.push({ kind: 'glob', text: inside })
          at += inside.length - 1
        } else pieces.push(BRACKETS)
      }
    } else if (char === '{' || char === ',' || char === '}') {
      flush()
      pieces.push({ kind: 'brace', text: char })
    } else text += char
  }
  flush()
  return pieces
}

/** Text between double quotes, or of an unquoted here-document (where `"` is itself). Throws Disagreement at an expansion left in it. */
export function readQuoted(raw: string, heredoc: boolean): string {
  if (!/[\\$`"]/.test(raw)) return raw
  let text = ''
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at] ?? ''
    if (char === '\\') {
      const next = raw[at + 1] ?? ''
      at++
      if (next === '\n') continue
      text += next === '$' || next === '`' || next === '\\' || (next === '"' && !heredoc) ? next : `\\${next}`
    } else if (char === '`' || (char === '"' && !heredoc)) {
      throw new Disagreement('a quote in quoted text')
    } else if (char === '$' && /[A-Za-z0-9_{([@*#?$!-]/.test(raw[at + 1] ?? '')) {
      throw new Disagreement('an expansion in quoted text')
    } else text += char
  }
  return text
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '?': '?',
}

/** The inside of `$'...'` (bash manual 3.1.2.4). Throws Disagreement for bytes that are no text of their own. */
export function readAnsiC(raw: string): string {
  let text = ''
  let at = 0
  while (at < raw.length) {
    const char = raw[at] ?? ''
    if (char !== '\\') {
      text += char
      at++
      continue
    }
    const found = /^\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.)|(.))/su.exec(
      raw.slice(at, at + 10),
    )
    if (found === null) throw new Disagreement('backslash at the end')
    const [whole, octal, hex, short, long, control, simple] = found
    at += whole.length
    if (simple !== undefined) text += SIMPLE[simple] ?? `\\${simple}`
    else if (control !== undefined) text += ascii(control.charCodeAt(0) & 0x1f)
    else if (octal !== undefined) text += ascii(Number.parseInt(octal, 8) & 0xff)
    else if (hex !== undefined) text += ascii(Number.parseInt(hex, 16))
    else text += codePoint(Number.parseInt(short ?? long ?? '', 16))
  }
  return text
}

/** A NUL ends the string in bash, and bytes from 0x80 on are parts of characters: neither is read here. */
function ascii(code: number): string {
  if (code === 0 || code > 0x7f) throw new Disagreement('a byte that is no character')
  return String.fromCharCode(code)
}

function codePoint(code: number): string {
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new Disagreement('no character')
  return String.fromCodePoint(code)
}
