import { hasSqlDetails, loadModule, parsePlPgSQLSync, parseSync } from 'libpg-query'

// PostgreSQL 18's own grammar, as WASM: instantiated once, when this file is first imported; every call after that is synchronous.
await loadModule()

/** A node of the parse tree, untyped: the walk goes by names and meets every node there is. */
export type Node = Readonly<Record<string, unknown>>

export type Parsed =
  | { readonly ok: true; readonly statements: readonly Node[] }
  /** `at`: 0-based character of the first thing the grammar did not understand, where it said. Its message quotes the text: never shown. */
  | { readonly ok: false; readonly at: number | null }

/** The statements of a text as PostgreSQL's grammar reads them. Never throws. */
export function parseSql(text: string): Parsed {
  // The library takes '' for an error; to PostgreSQL it is an empty query.
  if (text === '') return { ok: true, statements: [] }
  if (isCostly(text)) return { ok: false, at: null }
  try {
    const statements = (parseSync(text).stmts ?? []).map(({ stmt }) => (stmt ?? {}) as Node)
    return { ok: true, statements }
  } catch (error) {
    return { ok: false, at: hasSqlDetails(error) ? (error.sqlDetails?.cursorPosition ?? null) : null }
  }
}

/** More comment openings in one text, and longer runs of operator characters, than anybody writes: the scanner's cost grows with their square. */
const MAX_COMMENT_OPENINGS = 200
const OPERATOR_RUN = /[+*/<>=~!@#%^&|`?]{256}/

/** Whether the grammar would hold the event loop over this text for seconds. One pass. */
function isCostly(text: string): boolean {
  let openings = 0
  for (let at = text.indexOf('/*'); at !== -1; at = text.indexOf('/*', at + 2)) {
    openings++
    if (openings > MAX_COMMENT_OPENINGS) return true
  }
  return OPERATOR_RUN.test(text)
}

/** The parse tree of a PL/pgSQL block, or undefined where it is none. */
export function parsePlpgsql(body: string): unknown {
  let tag = 'sallyport'
  while (body.includes(`$${tag}$`)) tag += '_'
  try {
    return parsePlPgSQLSync(`DO $${tag}$${body}$${tag}$`)
  } catch {
    return undefined
  }
}
