/** `PASSWORD 'literal'` in CREATE/ALTER ROLE and USER MAPPING options; a role's new password is a secret whatever it looks like. */
const WORD = Buffer.from('password')
/** Between the word and its literal: white space, and the `=` or the E / U& of a string constant. */
const MAX_GAP_BYTES = 64

/** The insides of the string constants that follow the word PASSWORD in `[from, to)`, in order. One pass. */
export function passwordLiterals(
  source: Uint8Array,
  from: number,
  to: number,
): readonly { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = []
  let at = from
  while (at + WORD.length < to) {
    if (!isWord(source, at)) {
      at++
      continue
    }
    at += WORD.length
    const open = opening(source, at, Math.min(to, at + MAX_GAP_BYTES))
    if (open === undefined) continue
    const end = open.tag.length === 1 ? quoteEnd(source, open.at, to, open.escapes) : tagEnd(source, open.at, to, open.tag)
    if (end > open.at) found.push({ from: open.at, to: end })
    at = end
  }
  return found
}

function isWord(source: Uint8Array, at: number): boolean {
  for (let index = 0; index < WORD.length; index++) {
    if (((source[at + index] ?? 0) | 0x20) !== WORD[index]) return false
  }
  return true
}

function opening(
  source: Uint8Array,
  from: number,
  to: number,
): { readonly at: number; readonly tag: Uint8Array; readonly escapes: boolean } | undefined {
  for (let at = from; at < to; at++) {
    const byte = source[at] ?? 0
    if (byte === 0x27) {
      const before = (source[at - 1] ?? 0) | 0x20
      return { at: at + 1, tag: source.subarray(at, at + 1), escapes: before === 0x65 }
    }
    if (byte === 0x24) {
      const size = source.subarray(at + 1, to).indexOf(0x24)
      return size === -1 ? undefined : { at: at + size + 2, tag: source.subarray(at, at + size + 2), escapes: false }
    }
    const gap = byte <= 0x20 || byte === 0x3d || (byte | 0x20) === 0x65 || (byte | 0x20) === 0x75 || byte === 0x26
    if (!gap) return undefined
  }
  return undefined
}

/** The closing quote: doubled quotes (and, in E'', backslash escapes) belong to the literal. An open end runs to the end. */
function quoteEnd(source: Uint8Array, from: number, to: number, escapes: boolean): number {
  for (let at = from; at < to; at++) {
    if (escapes && source[at] === 0x5c) at++
    else if (source[at] === 0x27) {
      if (source[at + 1] !== 0x27) return at
      at++
    }
  }
  return to
}

function tagEnd(source: Uint8Array, from: number, to: number, tag: Uint8Array): number {
  const end = Buffer.from(source.buffer, source.byteOffset, to).indexOf(tag, from)
  return end === -1 ? to : end
}

/** A text for people to read, without the passwords that are set in it. */
export function withoutPasswords(sql: string): string {
  const bytes = Buffer.from(sql)
  let shown = ''
  let at = 0
  for (const { from, to } of passwordLiterals(bytes, 0, bytes.length)) {
    shown += `${bytes.toString('utf8', at, from)}[MASKED:password]`
    at = to
  }
  return shown + bytes.toString('utf8', at)
}
