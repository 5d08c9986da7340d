/** Strings and comments, which say nothing; names; brackets; a quote that is not closed. */
const TOKEN = /"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n\r])*"|#[^\n\r]*|[A-Za-z_]\w*|[{}()[\]@"]/g
const KINDS = new Set(['query', 'mutation', 'subscription'])

interface Operation {
  readonly kind: string
  readonly name: string | undefined
}

/** All operations of a document (GraphQL, 2.3), fragments left out; undefined for what no server would run. */
export function operationsOf(document: string): readonly Operation[] | undefined {
  const found: Operation[] = []
  let depth = 0
  /** At the beginning of a definition, right behind an operation's kind, or anywhere else in it. */
  let at: 'start' | 'kind' | 'inside' = 'start'
  let kind = 'query'
  const end = (name?: string): void => void found.push({ kind, name })
  for (const [token] of document.matchAll(TOKEN)) {
    if (token === '"') return undefined
    if (token.startsWith('"') || token.startsWith('#')) continue
    if ('{(['.includes(token)) {
      if (depth === 0 && at !== 'inside') {
        if (at === 'start' && token !== '{') return undefined
        end()
        at = 'inside'
      }
      depth += 1
    } else if ('})]'.includes(token)) {
      depth -= 1
      if (depth < 0) return undefined
      if (depth === 0 && token === '}') {
        at = 'start'
        kind = 'query'
      }
    } else if (depth === 0 && at === 'start') {
      if (KINDS.has(token)) {
        kind = token
        at = 'kind'
      } else if (token === 'fragment') at = 'inside'
      else return undefined
    } else if (depth === 0 && at === 'kind') {
      end(token === '@' ? undefined : token)
      at = 'inside'
    }
  }
  return depth === 0 && at === 'start' && found.length > 0 ? found : undefined
}
