/** `; name=value` or `; name="value"`, or an empty one; a quote behind a backslash ends the value for some readers and not for others. */
const PARAMETER = /[ \t]*;[ \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^"])*)"|([^\s";,]*))[ \t]*)?/y
/** What stands before the parameters: `form-data`, `multipart/mixed`. */
const SUBJECT = /^[ \t]*[^\s;="',]*/
/** RFC 8187, 3.2. */
const EXTENDED = /^(utf-8|iso-8859-1)'[^']*'((?:[^%\s"]|%[0-9a-f]{2})*)$/i

/**
 * What readers take the parameter `name` (in lower case) of a header's value for, each byte a character: none where it is absent, one where they agree. Undefined
 * where it cannot be said. Quotes and escapes as RFC 9110, 5.6.6 has them, `name*` as RFC 8187; beside it what those find who know no quotes. Linear.
 */
export function readingsOf(header: string, name: string): ReadonlySet<string> | undefined {
  const value = header.trimEnd()
  const found = new Set<string>()
  const start = SUBJECT.exec(value)?.[0].length ?? 0
  for (let at = start; at < value.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at
    const [whole, called = '', quoted, bare = ''] = PARAMETER.exec(value) ?? []
    if (whole === undefined) return undefined
    const [plain, ...more] = called.toLowerCase().split('*')
    if (plain !== name) continue
    const said = quoted ?? bare
    // In pieces (RFC 2231), or in encoded words (RFC 2047), which only some put together.
    if (more.length > 1 || (more[0] ?? '') !== '' || said.includes('=?')) return undefined
    if (more.length === 1) {
      const extended = extendedValue(said)
      if (extended === undefined) return undefined
      found.add(extended)
      continue
    }
    found.add(said)
    found.add(said.replace(/\\(.)/g, '$1'))
    found.add(said.replace(/^'(.*)'$/, '$1'))
  }
  for (const piece of value.split(';').slice(1)) {
    const equals = piece.indexOf('=')
    if (equals === -1 || piece.slice(0, equals).trim().toLowerCase() !== name) continue
    found.add(
      piece
        .slice(equals + 1)
        .trim()
        .replace(/^"|"$/g, ''),
    )
  }
  return found
}

/** As UTF-8, each byte a character. */
function extendedValue(said: string): string | undefined {
  const [, charset = '', encoded] = EXTENDED.exec(said) ?? []
  if (encoded === undefined) return undefined
  const bytes = encoded.replace(/%(..)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return charset.toLowerCase() === 'utf-8' ? bytes : Buffer.from(bytes).toString('latin1')
}
