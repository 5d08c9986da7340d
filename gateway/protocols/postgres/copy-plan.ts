import { type Node, parseSql } from '../../policy/sql/parse.ts'

/** What a COPY ... TO STDOUT says of its lines. */
export interface CopyPlan {
  /** The table; undefined where a query is copied. */
  readonly relation?: { readonly table: string; readonly schema?: string }
  /** The columns named, in order; undefined: all of the table's. */
  readonly columns?: readonly string[]
  readonly format: 'text' | 'csv'
  readonly delimiter: number
  readonly quote: number
}

const TAB = 0x09
const COMMA = 0x2c
const DOUBLE_QUOTE = 0x22

/** The plan of the only COPY in a text; undefined where there is none or more than one: then nothing is known of the lines. */
export function copyPlan(sql: string): CopyPlan | undefined {
  const parsed = parseSql(sql)
  return planOf(parsed.ok ? parsed.statements : undefined)
}

/** As `copyPlan`, of statements already read; undefined: they could not be. */
export function planOf(statements: readonly Node[] | undefined): CopyPlan | undefined {
  if (statements === undefined) return undefined
  const copies = statements.map((statement) => statement['CopyStmt']).filter(isNode)
  const [copy] = copies
  if (copies.length !== 1 || copy === undefined) return undefined
  const options = readOptions(copy['options'])
  const format = options.get('format') === 'csv' ? 'csv' : 'text'
  const relation = isNode(copy['relation']) ? copy['relation'] : undefined
  const columns = Array.isArray(copy['attlist']) ? copy['attlist'].map(stringOf) : undefined
  return {
    ...(relation === undefined ? {} : { relation: { table: String(relation['relname']), ...schemaOf(relation) } }),
    ...(columns === undefined ? {} : { columns }),
    format,
    delimiter: options.get('delimiter')?.charCodeAt(0) ?? (format === 'csv' ? COMMA : TAB),
    quote: options.get('quote')?.charCodeAt(0) ?? DOUBLE_QUOTE,
  }
}

function schemaOf(relation: Node): { readonly schema?: string } {
  return typeof relation['schemaname'] === 'string' ? { schema: relation['schemaname'] } : {}
}

function readOptions(options: unknown): ReadonlyMap<string, string> {
  const read = new Map<string, string>()
  if (!Array.isArray(options)) return read
  for (const option of options) {
    const element = isNode(option) ? option['DefElem'] : undefined
    if (isNode(element) && typeof element['defname'] === 'string') read.set(element['defname'], stringOf(element['arg']))
  }
  return read
}

/** `{ String: { sval } }` of the grammar. */
function stringOf(node: unknown): string {
  const text = isNode(node) ? node['String'] : undefined
  return isNode(text) && typeof text['sval'] === 'string' ? text['sval'] : ''
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
