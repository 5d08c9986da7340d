import { type Node, parseSql } from '../../policy/sql/parse.ts'
import type { CopyLines } from './copy-fields.ts'

/** What a COPY ... TO STDOUT says of its lines. */
export interface CopyPlan {
  /** The table; undefined where a query is copied. */
  readonly relation?: { readonly table: string; readonly schema?: string }
  /** The columns named, in order; undefined: all of the table's. */
  readonly columns?: readonly string[]
  /** Undefined where it cannot be told: of an encoding in which a delimiter may be a part of a character, or of what COPY does not allow. */
  readonly lines: CopyLines | undefined
}

const TAB = 0x09
const COMMA = 0x2c
const DOUBLE_QUOTE = 0x22
const READ = ['format', 'delimiter', 'quote', 'escape', 'null', 'encoding'] as const
/** Encodings, named as the server tells them apart, in which every byte of a character beyond ASCII is beyond ASCII. */
const SAFE_ENCODINGS = /^(?:utf8|unicode|sqlascii|latin\d+|iso8859\d+|(?:win|windows)125\d|koi8[ru]?|euc[a-z]{2})$/

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
  const relation = isNode(copy['relation']) ? copy['relation'] : undefined
  const columns = Array.isArray(copy['attlist']) ? copy['attlist'].map(stringOf) : undefined
  return {
    ...(relation === undefined ? {} : { relation: { table: String(relation['relname']), ...schemaOf(relation) } }),
    ...(columns === undefined ? {} : { columns }),
    lines: linesOf(options),
  }
}

/** Undefined where an option is not said as a text: the server takes numbers and words for some. */
function linesOf(options: ReadonlyMap<string, string | undefined>): CopyLines | undefined {
  if (READ.some((name) => options.has(name) && options.get(name) === undefined)) return undefined
  const format = options.get('format') ?? 'text'
  if (format !== 'text' && format !== 'csv') return undefined
  const encoding = options
    .get('encoding')
    ?.toLowerCase()
    .replace(/[^a-z0-9]/g, '')
  if (encoding !== undefined && !SAFE_ENCODINGS.test(encoding)) return undefined
  const delimiter = byteOf(options.get('delimiter'), format === 'csv' ? COMMA : TAB)
  const quote = byteOf(options.get('quote'), DOUBLE_QUOTE)
  const escapeByte = byteOf(options.get('escape'), quote)
  if (delimiter === undefined || quote === undefined || escapeByte === undefined) return undefined
  return { format, delimiter, quote, escapeByte, nullText: Buffer.from(options.get('null') ?? (format === 'csv' ? '' : '\\N')) }
}

/** Undefined for what is not one byte everywhere. */
function byteOf(option: string | undefined, usual: number | undefined): number | undefined {
  if (option === undefined) return usual
  const byte = option.charCodeAt(0)
  return option.length === 1 && byte < 0x80 ? byte : undefined
}

function schemaOf(relation: Node): { readonly schema?: string } {
  return typeof relation['schemaname'] === 'string' ? { schema: relation['schemaname'] } : {}
}

function readOptions(options: unknown): ReadonlyMap<string, string | undefined> {
  const read = new Map<string, string | undefined>()
  if (!Array.isArray(options)) return read
  for (const option of options) {
    const element = isNode(option) ? option['DefElem'] : undefined
    if (!isNode(element) || typeof element['defname'] !== 'string') continue
    const { arg } = element
    read.set(element['defname'], isNode(arg) && isNode(arg['String']) ? stringOf(arg) : undefined)
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
