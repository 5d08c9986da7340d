import { ANY_COLUMN, carriedColumns, sourcesIn as carriedColumnsIn, WRITES_VALUES } from './carried.ts'
import type { Collector } from './collector.ts'
import { definedBy } from './defined.ts'
import { isCategorised } from './functions.ts'
import { type Node, parsePlpgsql, parseSql } from './parse.ts'
import { setting, settingCall, transactionMode } from './settings.ts'
import { kindOf, verbOf } from './statements.ts'
import { triviality } from './trivial.ts'

/** The names a WITH clause gives, seen from inside: these are no relations. */
interface Scope {
  readonly names: ReadonlySet<string>
  readonly up: Scope | undefined
}

/** Where a statement stands: its own rows reach the client only when it is outermost. */
type Place = 'outermost' | 'inner'

/** Walks one statement and everything in it: what runs inside it counts as if it stood alone. */
export function walkStatement(node: Node, into: Collector, place: Place = 'outermost'): void {
  for (const [tag, body] of Object.entries(node)) statement(tag, record(body), into, undefined, place)
}

function statement(tag: string, body: Node, into: Collector, scope: Scope | undefined, place: Place): void {
  const kind = kindOf(tag)
  // The VALUES of an INSERT read nothing.
  if (body['valuesLists'] === undefined || place === 'outermost')
    into.verbs.add(kind === undefined ? 'UNKNOWN' : verbOf(tag, body, kind))
  if (kind === undefined) into.dynamic = true
  if (kind?.ddl) into.ddl = true
  if (kind?.writes) into.wrote(definedBy(tag, body))
  if (WRITES_VALUES.has(tag)) carriedColumns(tag, body, into.carried)
  switch (tag) {
    case 'SelectStmt':
      select(body, into, scope, place)
      break
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      change(tag, body, into, scope)
      break
    case 'CopyStmt':
      copy(body, into, scope)
      break
    case 'VariableSetStmt':
      setting(body, into)
      break
    case 'TransactionStmt':
      transactionMode(body, into)
      break
    case 'AlterRoleSetStmt':
    case 'AlterDatabaseSetStmt':
    case 'AlterSystemStmt':
      setting(record(body['setstmt']), into)
      break
    case 'ExplainStmt':
      into.explainAnalyze ||= list(body['options']).some(isAnalyze)
      inner(body['query'], into, scope)
      break
    case 'PrepareStmt':
      into.prepares.add(`statement:${text(body['name'])}`)
      inner(body['query'], into, scope)
      break
    case 'DeclareCursorStmt':
      into.prepares.add(`cursor:${text(body['portalname'])}`)
      inner(body['query'], into, scope)
      break
    case 'ExecuteStmt':
      into.executes.add(`statement:${text(body['name'])}`)
      visit(body['params'], into, scope)
      break
    case 'FetchStmt':
      into.executes.add(`cursor:${text(body['portalname'])}`)
      return
    case 'CreateTableAsStmt':
      visit(body['into'], into, scope)
      inner(body['query'], into, scope)
      break
    case 'DoStmt':
      into.dynamic = true
      block(body, into)
      break
    case 'CallStmt':
      into.dynamic = true
      node('FuncCall', record(body['funccall']), into, scope)
      break
    case 'DropStmt':
      if (/TABLE|VIEW|SEQUENCE|INDEX/.test(String(body['removeType'])))
        for (const object of list(body['objects'])) dropped(object, into)
      visit(body, into, scope)
      break
    default:
      visit(body, into, scope)
      break
  }
}

/** A statement run by another one: the client gets its rows. */
function inner(value: unknown, into: Collector, scope: Scope | undefined): void {
  for (const [tag, body] of Object.entries(record(value))) statement(tag, record(body), into, scope, 'outermost')
}

function select(body: Node, into: Collector, outer: Scope | undefined, place: Place, bounded = false): void {
  const scope = withClause(body, into, outer)
  if (body['intoClause'] !== undefined) {
    into.verbs.add('CREATE TABLE AS')
    carriedColumns('SelectStmt', body, into.carried)
    into.ddl = true
    into.wrote(definedBy('CreateTableAsStmt', { into: body['intoClause'] }))
  }
  const limited = body['limitCount'] !== undefined
  if (place === 'outermost') {
    const branch = body['larg'] === undefined
    if (branch) filter('SELECT', list(body['fromClause']).some(hasRelation) ? body['whereClause'] : NO_TABLE, undefined, into)
    if (!bounded && (limited || (branch && body['fromClause'] !== undefined))) into.bound(limitOf(body['limitCount'], into))
  }
  for (const [key, child] of Object.entries(body)) {
    if (key === 'withClause') continue
    if (key === 'larg' || key === 'rarg') select(record(child), into, scope, place, bounded || limited)
    else visit(child, into, scope)
  }
}

/** INSERT, UPDATE, DELETE, MERGE: at any depth, for they run wherever they stand. */
function change(tag: string, body: Node, into: Collector, outer: Scope | undefined): void {
  const scope = withClause(body, into, outer)
  const target = record(body['relation'])
  const name = target['relname'] === undefined ? undefined : text(target['relname'])
  if (name !== undefined) written(target, name, into)
  if (tag === 'UpdateStmt' || tag === 'DeleteStmt')
    filter(tag === 'UpdateStmt' ? 'UPDATE' : 'DELETE', body['whereClause'], name, into)
  for (const clause of list(body['mergeWhenClauses']).map((item) => record(item['MergeWhenClause']))) {
    const verb = String(clause['commandType']).replace('CMD_', '')
    if (verb === 'NOTHING') continue
    into.verbs.add(verb)
    // Joined on nothing in particular, MERGE is an UPDATE or DELETE without WHERE.
    if (verb !== 'INSERT') filter(verb, clause['condition'] ?? body['joinCondition'], name, into)
  }
  if (body['onConflictClause'] !== undefined && record(body['onConflictClause'])['action'] === 'ONCONFLICT_UPDATE')
    into.verbs.add('UPDATE')
  for (const [key, child] of Object.entries(body)) {
    if (key === 'withClause' || key === 'relation') continue
    visit(child, into, scope)
  }
}

function copy(body: Node, into: Collector, scope: Scope | undefined): void {
  const from = body['is_from'] === true
  const target = body['is_program'] === true ? 'program' : body['filename'] !== undefined ? 'file' : from ? 'stdin' : 'stdout'
  into.copies.add(`${from ? 'in' : 'out'}:${target}`)
  if (from) into.writes = true
  else into.bound(null)
  for (const column of list(body['attlist'])) into.columns.add(text(record(column['String'])['sval']))
  visit(body['relation'], into, scope)
  visit(body['whereClause'], into, scope)
  if (body['query'] !== undefined) inner(body['query'], into, scope)
}

/** A DO block: always dynamic; what can be read of it counts as well. Its language is PL/pgSQL unless it says otherwise. */
function block(body: Node, into: Collector): void {
  const source = list(body['args']).find((item) => record(item['DefElem'])['defname'] === 'as')
  const code = record(record(record(source)['DefElem'])['arg'])
  const tree = parsePlpgsql(text(record(code['String'])['sval']))
  for (const query of queriesOf(tree)) {
    const parsed = parseSql(query)
    const readable = parsed.ok ? parsed : parseSql(`SELECT ${query.replace(/^[^=]*:=/, '')}`)
    if (readable.ok) for (const found of readable.statements) walkStatement(found, into, 'inner')
  }
}

function queriesOf(tree: unknown): string[] {
  if (typeof tree !== 'object' || tree === null) return []
  if (Array.isArray(tree)) return tree.flatMap(queriesOf)
  return Object.entries(tree).flatMap(([key, child]) =>
    key === 'query' && typeof child === 'string' ? [child] : queriesOf(child),
  )
}

/** What a WHERE (or its absence) says of a verb. */
function filter(verb: string, condition: unknown, relation: string | undefined, into: Collector): void {
  if (condition === NO_TABLE) return
  if (condition === undefined) {
    into.withoutWhere.add(verb)
    return
  }
  into.filtered = true
  const { trivial, byLiteral } = triviality(condition, relation)
  if (trivial) into.trivialWhere.add(verb)
  if (byLiteral) into.literals = true
}

const NO_TABLE = Symbol('a query on no table')

function limitOf(count: unknown, into: Collector): number | null {
  if (count === undefined) return null
  into.literals = true
  const constant = record(record(count)['A_Const'])
  const integer = constant['ival']
  if (integer === undefined) return null
  const value = record(integer)['ival'] ?? 0 // zero is left out of the tree
  return typeof value === 'number' ? value : null
}

function withClause(body: Node, into: Collector, outer: Scope | undefined): Scope | undefined {
  const clause = record(body['withClause'])
  if (body['withClause'] === undefined) return outer
  const tables = list(clause['ctes']).map((item) => record(item['CommonTableExpr']))
  const all = new Set(tables.map((table) => text(table['ctename'])))
  // Without RECURSIVE each sees only those before it: `WITH t AS (SELECT * FROM t)` reads the table t.
  into.tables += tables.length
  if (into.overflowing) return { names: all, up: outer }
  const seen = new Set<string>()
  for (const table of tables) {
    const scope = { names: clause['recursive'] === true ? all : new Set(seen), up: outer }
    for (const [tag, query] of Object.entries(record(table['ctequery']))) statement(tag, record(query), into, scope, 'inner')
    seen.add(text(table['ctename']))
  }
  return { names: all, up: outer }
}

function visit(value: unknown, into: Collector, scope: Scope | undefined): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const item of value) visit(item, into, scope)
    return
  }
  if ('relname' in value) {
    relation(value as Node, into, scope)
    return
  }
  for (const key in value) {
    const child = (value as Node)[key]
    if (typeof child !== 'object' || child === null) continue
    const first = key.charCodeAt(0)
    // Tagged nodes begin with a capital letter, fields do not.
    if (first >= 65 && first <= 90) node(key, child as Node, into, scope)
    else visit(child, into, scope)
  }
}

function node(tag: string, body: Node, into: Collector, scope: Scope | undefined): void {
  switch (tag) {
    case 'A_Const':
    case 'ParamRef':
    case 'String':
    case 'TypeName':
      return
    case 'RangeVar':
      relation(body, into, scope)
      break
    case 'ColumnRef':
      column(list(body['fields']), into)
      break
    case 'A_Indirection':
      for (const step of list(body['indirection'])) {
        if (step['String'] !== undefined) column([{ A_Star: {} }, step].slice(1), into, 2)
        else if (step['A_Star'] !== undefined) into.selectStar = true
        else visit(step, into, scope)
      }
      visit(body['arg'], into, scope)
      break
    case 'ResTarget':
      if (body['name'] !== undefined) into.columns.add(text(body['name']))
      visit(body['indirection'], into, scope)
      visit(body['val'], into, scope)
      break
    case 'FuncCall':
      call(body, into, scope)
      break
    case 'SubLink':
      // What EXISTS selects is never seen.
      if (body['subLinkType'] === 'EXISTS_SUBLINK') {
        const { selectStar, renamed } = into
        visit(body['subselect'], into, scope)
        Object.assign(into, { selectStar, renamed })
        return
      }
      visit(body, into, scope)
      break
    case 'RangeSubselect':
    case 'RangeFunction':
    case 'RangeTableFunc':
      if (body['alias'] !== undefined) into.aliases.add(text(record(body['alias'])['aliasname']))
      visit(body, into, scope)
      break
    case 'JoinExpr':
      join(body, into)
      visit(body, into, scope)
      break
    case 'ReturningOption':
      // `RETURNING WITH (OLD AS o)`: another name for the whole row.
      into.aliases.add(text(body['value']))
      break
    default:
      if (tag.endsWith('Stmt')) statement(tag, body, into, scope, 'inner')
      else visit(body, into, scope)
  }
}

function relation(body: Node, into: Collector, scope: Scope | undefined): void {
  const name = text(body['relname'])
  const schema = body['schemaname'] === undefined ? undefined : text(body['schemaname'])
  into.aliases.add(body['alias'] === undefined ? name : text(record(body['alias'])['aliasname']))
  rename(body, into)
  if (schema === undefined && isCommonTable(name, scope)) return
  into.relation(schema, name)
}

/** `FROM t AS x (a, b)`: columns taken by position, whatever they are called; so all of them may be meant. */
function rename(item: Node, into: Collector): void {
  if (record(item['alias'])['colnames'] !== undefined) into.renamed = true
}

/** A join may have a name of its own for its rows, others for its columns, and columns nobody else names. */
function join(body: Node, into: Collector): void {
  for (const alias of [body['alias'], body['join_using_alias']])
    if (alias !== undefined) into.aliases.add(text(record(alias)['aliasname']))
  for (const used of list(body['usingClause'])) into.columns.add(text(record(used['String'])['sval']))
  rename(body, into)
}

/** The target of a change: a relation even where a WITH clause has the same name. */
function written(body: Node, name: string, into: Collector): void {
  into.relation(body['schemaname'] === undefined ? undefined : text(body['schemaname']), name)
  into.aliases.add(body['alias'] === undefined ? name : text(record(body['alias'])['aliasname']))
  if (name !== 'pg_settings') return
  // Its rule runs set_config on whatever the rows say.
  into.sets.add('*')
  into.roleChange = true
  into.parserChange = true
}

function isCommonTable(name: string, scope: Scope | undefined): boolean {
  for (let at = scope; at !== undefined; at = at.up) if (at.names.has(name)) return true
  return false
}

function column(fields: readonly Node[], into: Collector, depth = fields.length): void {
  const last = fields.at(-1)
  if (last?.['A_Star'] !== undefined) {
    into.selectStar = true
    return
  }
  const name = text(record(last?.['String'])['sval'])
  into.columns.add(name)
  if (depth === 1) into.bare.add(name)
  // `t.f` is f(t) where t has no column f.
  else if (isCategorised(name)) into.call(name)
}

/** Functions that keep or send on what they are given: settings, notifications, large objects, sequences, locks, the log. */
const KEEPING =
  /^(set_config|setval|pg_notify|lo_from_bytea|lo_put|lowrite|pg_(try_)?advisory_\w*lock\w*|pg_logical_emit_message)$/

function call(body: Node, into: Collector, scope: Scope | undefined): void {
  const parts = list(body['funcname']).map((part) => text(record(part['String'])['sval']))
  const name = parts[0] === 'pg_catalog' ? parts.slice(1).join('.') : parts.join('.')
  into.call(name)
  // What such a call is given can be had back under no label at all.
  if (KEEPING.test(name)) for (const source of carriedColumnsIn(body['args'])) into.carried.add(`${ANY_COLUMN}<${source}`)
  if (parts.at(-1) === 'set_config') settingCall(list(body['args']), into)
  for (const [key, child] of Object.entries(body)) if (key !== 'funcname') visit(child, into, scope)
}

function dropped(object: Node, into: Collector): void {
  const parts = list(record(object['List'])['items']).map((part) => text(record(part['String'])['sval']))
  const name = parts.at(-1)
  if (name !== undefined) into.relation(parts.at(-2), name)
}

function isAnalyze(option: Node): boolean {
  const element = record(option['DefElem'])
  if (element['defname'] !== 'analyze') return false
  const value = JSON.stringify(element['arg'] ?? null)
  return !/"(sval|boolval)":("off"|"false"|"0"|false)|"ival":0|"Integer":\{\}|"Boolean":\{\}/i.test(value)
}

/** Whether a FROM item holds a relation, joins looked into. */
function hasRelation(item: Node): boolean {
  if (item['RangeVar'] !== undefined || item['RangeTableSample'] !== undefined) return true
  const join = record(item['JoinExpr'])
  return item['JoinExpr'] !== undefined && (hasRelation(record(join['larg'])) || hasRelation(record(join['rarg'])))
}

function record(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {}
}

function list(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
