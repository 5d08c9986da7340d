import type { Node } from './parse.ts'

/**
 * 16 hex digits, equal for statements that differ in their values only: constants, parameters and how many of them stand in a
 * list, names given to the columns of a result, to cursors, prepared statements and savepoints, comments and spacing, the order
 * of columns and conditions. What an option is set to counts (SUPERUSER or NOSUPERUSER, a role, a function's body as it stands), but for
 * a role's password and the OPTIONS of foreign servers, tables and user mappings. '' where there is no statement. A hash of the tree
 * there is already: the library's own fingerprint would parse the text once more. No secret: whoever knows a statement knows its fingerprint.
 */
export function fingerprintOf(statements: readonly Node[]): string {
  if (statements.length === 0) return ''
  high = SEED
  low = SEED
  inForeign = false
  for (const statement of statements) fields(statement, '')
  return `${hex(high)}${hex(low)}`
}

/** The hash so far, in two halves that mix by different multipliers. The walk is synchronous: one at a time. */
let high = 0
let low = 0
/** Inside of what has OPTIONS of a foreign data wrapper. */
let inForeign = false
const SEED = 0x811c9dc5 | 0

function mix(first: number, second: number): void {
  high = Math.imul(high ^ first, 0x01000193)
  high ^= high >>> 15
  low = Math.imul(low ^ second, 0x85ebca6b | 0)
  low ^= low >>> 13
}

/** What stands under one field; `tag`: of the node it is a field of. */
function field(value: unknown, tag: string, key: string): void {
  if (typeof value === 'string') word(value)
  else if (typeof value === 'number') mix(value, value)
  else if (Array.isArray(value)) list(value, isUnordered(tag, key), key === 'targetList' && tag === 'SelectStmt' ? tag : '')
  else if (typeof value === 'object' && value !== null) fields(value as Node, tag)
  else mix(value === true ? 1 : 2, 3)
}

function fields(node: Node, tag: string): void {
  for (const key in node) {
    if (IGNORED.has(key) || (key === 'name' && GIVEN.has(tag))) continue
    const isValue = tag === 'DefElem' ? isSecret(node, key) : VALUES.has(key)
    mix(nameOf(isValue ? 'A_Const' : key), 0)
    if (isValue) continue
    const before = inForeign
    inForeign ||= isForeign(key, node[key])
    // A node is an object under its tag, which begins with a capital letter; fields do not.
    const below = key.charCodeAt(0) >= 97 ? tag : tag === 'SelectStmt' && key === 'ResTarget' ? RESULT : key
    field(node[key], below, key)
    inForeign = before
  }
}

/** Whether this is what an option is set to, and that may be a password. */
function isSecret(option: Node, key: string): boolean {
  if (key !== 'arg' || !(inForeign || option['defname'] === 'password')) return false
  const arg = option['arg'] as Node
  return 'String' in arg || 'A_Const' in arg
}

/** Of `ALTER TABLE t SET (fillfactor = 70)` and `ALTER TABLE t OPTIONS (password '...')` the second only. */
function isForeign(key: string, value: unknown): boolean {
  return FOREIGN.has(key) || (key === 'AlterTableCmd' && String((value as Node)['subtype']).endsWith('GenericOptions'))
}

/** Of each run of equal members one: `IN (1, 2, 3)`, `VALUES (1), (2)`. */
function list(items: readonly unknown[], unordered: boolean, tag: string): void {
  const highBefore = high
  const lowBefore = low
  let sum = 0
  let other = 0
  let lastHigh = 0
  let lastLow = 0
  for (const item of items) {
    high = SEED
    low = SEED
    field(item, tag, '')
    if (high === lastHigh && low === lastLow) continue
    lastHigh = high
    lastLow = low
    sum = unordered ? (sum + high) | 0 : Math.imul(sum ^ high, 0x01000193)
    other = unordered ? (other + low) | 0 : Math.imul(other ^ low, 0x85ebca6b | 0)
  }
  high = highBefore
  low = lowBefore
  mix(sum, other)
}

/** Constants, parameters, connection strings. */
const VALUES: ReadonlySet<string> = new Set(['A_Const', 'ParamRef', 'conninfo'])
const UNORDERED: ReadonlySet<string> = new Set(['targetList', 'fromClause', 'cols'])

/** Conditions have no order; what a function is given has. */
function isUnordered(tag: string, key: string): boolean {
  return UNORDERED.has(key) || (key === 'args' && tag === 'BoolExpr')
}

const FOREIGN: ReadonlySet<string> = new Set(
  `CreateFdwStmt AlterFdwStmt CreateForeignServerStmt AlterForeignServerStmt CreateUserMappingStmt AlterUserMappingStmt CreateForeignTableStmt ImportForeignSchemaStmt fdwoptions`.split(
    ' ',
  ),
)

/** The tag for a column of a query's result: what it is called there makes it no other. */
const RESULT = 'Result'

/** Where something stands in the text, and names that the next run of the same program would choose anew. */
const IGNORED: ReadonlySet<string> = new Set(
  `location stmt_location stmt_len list_start list_end rexpr_list_start rexpr_list_end portalname savepoint_name gid`.split(' '),
)
/** Nodes whose `name` is such a name. */
const GIVEN: ReadonlySet<string> = new Set([RESULT, 'PrepareStmt', 'ExecuteStmt', 'DeallocateStmt'])

const names = new Map<string, number>()

/** The hash of a node's or field's name: there are as many as the grammar has. */
function nameOf(name: string): number {
  let number = names.get(name)
  if (number === undefined) {
    number = SEED
    for (let at = 0; at < name.length; at++) number = Math.imul(number ^ name.charCodeAt(at), 0x01000193)
    names.set(name, number)
  }
  return number
}

function word(text: string): void {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    mix(code, code)
  }
  mix(text.length, text.length)
}

function hex(half: number): string {
  return (half >>> 0).toString(16).padStart(8, '0')
}
