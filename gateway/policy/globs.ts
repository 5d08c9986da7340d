/** Tells whether a text fits. */
export type Fits = (text: string) => boolean

/**
 * Whether a text fits one of the patterns and none of those that begin with `!`. `*` stands for any text, also none; everything
 * else for itself. Only exclusions: everything else fits. Linear in the text, whatever the pattern.
 */
export function globs(patterns: string | readonly string[], options: { readonly ignoreCase?: boolean } = {}): Fits {
  const all = (typeof patterns === 'string' ? [patterns] : patterns).map((text) =>
    options.ignoreCase ? text.toLowerCase() : text,
  )
  const wanted = all.filter((pattern) => !pattern.startsWith('!')).map(glob)
  const unwanted = all.filter((pattern) => pattern.startsWith('!')).map((pattern) => glob(pattern.slice(1)))
  return (text) => {
    const name = options.ignoreCase ? text.toLowerCase() : text
    return (wanted.length === 0 || wanted.some((fits) => fits(name))) && !unwanted.some((fits) => fits(name))
  }
}

function glob(pattern: string): Fits {
  const parts = pattern.split('*')
  const [head = '', ...rest] = parts
  const tail = rest.pop()
  if (tail === undefined) return (text) => text === head
  return (text) => {
    if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false
    // Each part as early as it goes: if any way fits, this one does.
    let at = head.length
    for (const part of rest) {
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= text.length - tail.length
  }
}
