import { type SqlFacts, sqlFacts } from '../../policy/sql/facts.ts'
import { type Node, parseSql } from '../../policy/sql/parse.ts'

/** Functions that make numbers out of characters: enough of them spell a text out. */
const SPELLING = new Set([
  'ascii',
  'get_byte',
  'get_bit',
  'to_number',
  'hashtext',
  'hashtextextended',
  'crc32',
  'crc32c',
  'unistr',
  'bit_count',
])

/** Types that are text whatever is cast to them: such a column is looked at anyway. */
const TEXTS = new Set(['text', 'varchar', 'bpchar', 'name', 'char', 'json', 'jsonb', 'xml', 'bytea'])

/**
 * Whether the statement may turn the text of a column into a number, a date or anything else that is otherwise let pass:
 * a cast of something that is no constant, or a function that spells. True where it cannot be read.
 */
export function convertsText(sql: string): boolean {
  // Texts that share their facts differ in literals only, and no literal is looked at here.
  const facts = sqlFacts(sql)
  let converts = known.get(facts)
  if (converts === undefined) {
    const parsed = parseSql(sql)
    converts = statementsConvert(parsed.ok ? parsed.statements : undefined)
    known.set(facts, converts)
  }
  return converts
}

/** As `convertsText`, of statements already read; undefined: they could not be. */
export function statementsConvert(statements: readonly Node[] | undefined): boolean {
  return statements === undefined || statements.some((statement) => found(statement))
}

const known = new WeakMap<SqlFacts, boolean>()

function found(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(found)
  if (typeof value !== 'object' || value === null) return false
  const node = value as Node
  if (isNode(node['TypeCast']) && isConversion(node['TypeCast'])) return true
  if (isNode(node['FuncCall']) && SPELLING.has(lastName(node['FuncCall']['funcname']))) return true
  return Object.values(node).some(found)
}

function isConversion(cast: Node): boolean {
  const { arg } = cast
  const counted = isNode(arg) && isNode(arg['FuncCall']) && arg['FuncCall']['agg_star'] === true
  const constant = isNode(arg) && arg['A_Const'] !== undefined
  return !constant && !counted && isNode(cast['typeName']) && !TEXTS.has(lastName(cast['typeName']['names']))
}

function lastName(names: unknown): string {
  const last: unknown = Array.isArray(names) ? names.at(-1) : undefined
  const text = isNode(last) ? last['String'] : undefined
  return isNode(text) && typeof text['sval'] === 'string' ? text['sval'] : ''
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
