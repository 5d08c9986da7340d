import { RE2JS } from 're2js'

/** Nobody reads a longer one; a program of more instructions takes milliseconds for a text of the greatest length. */
const MAX_PATTERN_CHARS = 1_000
const MAX_INSTRUCTIONS = 250
/** PostgreSQL's names have 63 bytes; the time is instructions times characters. */
export const MAX_MATCHED_CHARS = 1_024

/** A pattern in RE2's syntax: no look-around, no back-references, and so linear in the text, whatever both are. */
export interface LinearPattern {
  /** Instructions of its program: the cost per character. */
  readonly size: number
  /** Whether it is found anywhere in the text. Throws RangeError for a text of more than MAX_MATCHED_CHARS. */
  found(text: string): boolean
}

/** Throws SyntaxError saying what is wrong with the pattern. */
export function linearPattern(source: string): LinearPattern {
  if (source.length > MAX_PATTERN_CHARS)
    throw new SyntaxError(`a pattern of ${source.length} characters; it may have ${MAX_PATTERN_CHARS}`)
  const compiled = compile(source)
  const size = compiled.programSize()
  if (size > MAX_INSTRUCTIONS)
    throw new SyntaxError(`the pattern is too costly: ${size} instructions of ${MAX_INSTRUCTIONS}; repeat less`)
  return {
    size,
    found: (text) => {
      if (text.length > MAX_MATCHED_CHARS)
        throw new RangeError(`a text of ${text.length} characters; patterns look at ${MAX_MATCHED_CHARS}`)
      return compiled.test(text)
    },
  }
}

/** Throws SyntaxError for what is no pattern in RE2's syntax. */
export function checkSyntax(source: string): void {
  compile(source)
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)
    throw new SyntaxError(`no pattern in RE2's syntax: ${why}`)
  }
}
