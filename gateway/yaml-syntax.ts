import { type Document, type ErrorCode, visit } from 'yaml'

/** Where the library's own words quote the file, which may have a secret there, or are for programmers. */
const WORDS: Partial<Record<ErrorCode, string>> = {
  BAD_COLLECTION_TYPE: 'a tag (what begins with !) of another kind of value; leave it out',
  BAD_DQ_ESCAPE: 'a backslash that begins no escape; in single quotes it stands for itself',
  DUPLICATE_KEY: 'this key stands here twice; keys of a mapping are unique',
  MULTIPLE_DOCS: 'a second document begins here (---); a file has one',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAG_RESOLVE_FAILED: 'a tag (what begins with !) means nothing here; quote text that begins so',
}

export interface SyntaxMistake {
  /** In UTF-16 code units. */
  readonly offset: number
  readonly message: string
}

/** What is no YAML of ours in a parsed text: the parser's mistakes; without any, aliases of what is nowhere before them. */
export function syntaxMistakes(document: Document.Parsed): readonly SyntaxMistake[] {
  const found: SyntaxMistake[] = [...document.errors, ...document.warnings].map(({ pos, code, message }) => ({
    offset: pos[0],
    message: WORDS[code] ?? message.replace(/(?<=extra characters).*/s, ''),
  }))
  if (found.length > 0) return found
  const anchors = new Set<string>()
  visit(document, {
    Value: (_key, node) => {
      if (node.anchor !== undefined) anchors.add(node.anchor)
    },
    Alias: (_key, { source, range }) => {
      if (anchors.has(source)) return
      found.push({
        offset: range?.[0] ?? 0,
        message: 'an alias (what begins with *) of no anchor before it; quote text that begins so',
      })
    },
  })
  return found
}

/** Why a text without such mistakes has no value. */
export function resolvingMistake(error: unknown): string {
  // The library's guard against alias bombs is its only ReferenceError once every alias is one of something.
  if (error instanceof ReferenceError) return 'aliases (what begins with *) stand for more than a configuration has; write it out'
  return error instanceof RangeError ? 'nested too deeply' : 'cannot be read'
}
