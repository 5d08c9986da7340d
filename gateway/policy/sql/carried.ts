import type { Node } from './parse.ts'

/** A target or a source that is not one column: a star, a whole row, columns that cannot be told apart. */
export const ANY_COLUMN = '*'

/** Statements that put values into columns. SELECT INTO is noticed where it is walked. */
export const WRITES_VALUES: ReadonlySet<string> = new Set(
  ['Insert', 'Update', 'Merge', 'CreateTableAs', 'AlterTable'].map((what) => `${what}Stmt`),
)

/**
 * Which columns a statement writes values of which other columns into, `target<source` each: `note<email`, `*<email` where
 * the target cannot be told, `note<*` where a whole row may go there. What only chooses rows (WHERE, ORDER BY, GROUP BY, a join's
 * condition) carries no value. Sub-queries and CTEs a value may come through count whole.
 */
export function carriedColumns(tag: string, body: Node, into: Set<string>): void {
  const write = (target: string, sources: ReadonlySet<string>): void => {
    for (const source of sources) into.add(`${target}<${source}`)
  }
  const around = new Set([...ctes(body), ...fromItems(body['fromClause']), ...fromItem(record(body['sourceRelation']))])
  const assign = (targets: unknown): void => {
    for (const target of list(targets).map((item) => record(item['ResTarget']))) {
      const sources = sourcesIn(target['val'])
      if (sources.size > 0) write(name(target), new Set([...sources, ...around]))
    }
  }
  switch (tag) {
    case 'InsertStmt':
      pair(
        list(body['cols']).map((item) => name(record(item['ResTarget']))),
        outputsOf(body['selectStmt']),
        around,
        write,
      )
      assign(record(body['onConflictClause'])['targetList'])
      break
    case 'UpdateStmt':
      assign(body['targetList'])
      break
    case 'MergeStmt':
      for (const clause of list(body['mergeWhenClauses']).map((item) => record(item['MergeWhenClause']))) {
        if (clause['commandType'] === 'CMD_UPDATE') assign(clause['targetList'])
        else {
          const targets = list(clause['targetList']).map((item) => name(record(item['ResTarget'])))
          pair(targets, { names: [], values: list(clause['values']).map(sourcesIn) }, around, write)
        }
      }
      break
    case 'AlterTableStmt':
      // USING makes a column's new values of those of any column.
      for (const { name: column, def } of list(body['cmds']).map((item) => record(item['AlterTableCmd'])))
        write(text(column), sourcesIn(record(record(def)['ColumnDef'])['raw_default']))
      break
    case 'CreateTableAsStmt':
    case 'SelectStmt': {
      const outputs = tag === 'SelectStmt' ? outputsOfSelect({ ...body, intoClause: undefined }) : outputsOf(body['query'])
      const named = list(record(body['into'])['colNames']).map((item) => text(record(item['String'])['sval']))
      pair(named.length > 0 ? named : outputs.names, outputs, around, write)
      break
    }
    default:
      break
  }
}

/** What a query gives back: names and, per position, the columns each value may come from. `values` undefined: not by position. */
interface Outputs {
  readonly names: readonly string[]
  readonly values: readonly ReadonlySet<string>[] | undefined
  /** Of all positions, where they cannot be told apart. */
  readonly all?: ReadonlySet<string>
}

function pair(
  targets: readonly string[],
  { values, all = new Set<string>() }: Outputs,
  around: ReadonlySet<string>,
  write: (target: string, sources: ReadonlySet<string>) => void,
): void {
  if (values === undefined || targets.length !== values.length) {
    const sources = new Set([...all, ...(values ?? []).flatMap((each) => [...each])])
    if (sources.size > 0) write(ANY_COLUMN, new Set([...sources, ...around]))
    return
  }
  for (const [index, sources] of values.entries())
    if (sources.size > 0) write(targets[index] ?? ANY_COLUMN, new Set([...sources, ...around]))
}

function outputsOf(query: unknown): Outputs {
  const select = record(query)['SelectStmt']
  if (select !== undefined) return outputsOfSelect(record(select))
  return { names: [], values: undefined, all: carriedBy(record(query)) }
}

function outputsOfSelect(body: Node): Outputs {
  if (body['larg'] !== undefined) {
    const left = outputsOfSelect(record(body['larg']))
    const right = outputsOfSelect(record(body['rarg']))
    const inner = ctes(body)
    if (left.values === undefined || right.values === undefined || left.values.length !== right.values.length) {
      return { names: left.names, values: undefined, all: new Set([...flat(left), ...flat(right), ...inner]) }
    }
    return {
      names: left.names,
      values: left.values.map((each, index) => new Set([...each, ...(right.values?.[index] ?? []), ...inner])),
    }
  }
  if (body['valuesLists'] !== undefined) {
    const rows = list(body['valuesLists']).map((row) => list(record(row['List'])['items']).map(sourcesIn))
    const values: Set<string>[] = []
    for (const row of rows)
      for (const [index, each] of row.entries()) values[index] = new Set([...(values[index] ?? []), ...each])
    return { names: values.map(() => ANY_COLUMN), values }
  }
  const inner = new Set([...ctes(body), ...fromItems(body['fromClause'])])
  const targets = list(body['targetList']).map((item) => record(item['ResTarget']))
  const values = targets.map((target) => {
    const sources = sourcesIn(target['val'])
    return sources.size === 0 ? sources : new Set([...sources, ...inner])
  })
  if (values.some((each) => each.has(ANY_COLUMN)))
    return { names: [], values: undefined, all: new Set(values.flatMap((each) => [...each])) }
  return { names: targets.map(name), values }
}

function flat({ values = [], all = [] }: { readonly values?: Outputs['values']; readonly all?: Iterable<string> }): string[] {
  return [...all, ...values.flatMap((each) => [...each])]
}

/** The columns whose values the rows of these statements may be made of; those that only choose rows, or are counted, are not among them. */
export function handedOn(statements: readonly Node[]): ReadonlySet<string> {
  return new Set(
    statements.flatMap((statement) => [
      ...carriedBy(statement),
      // PREPARE, DECLARE and EXPLAIN have a query inside.
      ...Object.values(statement).flatMap((body) => [...handedOn(queryIn(body))]),
    ]),
  )
}

function queryIn(body: unknown): readonly Node[] {
  const { query } = record(body)
  return query === undefined ? [] : [record(query)]
}

const COMPARISONS: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>='])

/** count() of a column hands on none of its values, and neither does IS NULL or a comparison: a flag, whatever is made of it. */
function onlyCounts(tag: string, body: unknown): boolean {
  if (tag === 'NullTest') return true
  if (tag === 'A_Expr' && record(body)['kind'] === 'AEXPR_OP') {
    const signs = list(record(body)['name'])
    return signs.length === 1 && COMPARISONS.has(text(record(signs[0]?.['String'])['sval']))
  }
  const names = list(record(body)['funcname']).map((part) => text(record(part['String'])['sval']))
  return tag === 'FuncCall' && /^(pg_catalog\.)?count$/.test(names.join('.'))
}

/** The columns whose values a query hands on, whatever statement it is. */
function carriedBy(query: Node): ReadonlySet<string> {
  const found = new Set<string>()
  for (const [tag, body] of Object.entries(query)) {
    const statement = record(body)
    if (tag === 'SelectStmt') for (const source of flat(outputsOfSelect(statement))) found.add(source)
    else {
      collect(record(statement['returningClause'])['exprs'], found)
      collect(statement['returningList'], found)
      for (const source of ctes(statement)) found.add(source)
    }
  }
  return found
}

function ctes(body: Node): string[] {
  return list(record(body['withClause'])['ctes']).flatMap((item) => [
    ...carriedBy(record(record(item['CommonTableExpr'])['ctequery'])),
  ])
}

function fromItems(items: unknown): string[] {
  return list(items).flatMap((item) => [...fromItem(item)])
}

/** What a FROM item that is no plain relation hands on. */
function fromItem(item: Node): ReadonlySet<string> {
  const join = item['JoinExpr']
  if (join !== undefined) return new Set([...fromItem(record(record(join)['larg'])), ...fromItem(record(record(join)['rarg']))])
  const select = item['RangeSubselect']
  if (select !== undefined) return carriedBy(record(record(select)['subquery']))
  const found = new Set<string>()
  if (item['RangeVar'] === undefined) collect(item, found)
  return found
}

export function sourcesIn(expression: unknown): Set<string> {
  const found = new Set<string>()
  collect(expression, found)
  return found
}

function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found)
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [tag, child] of Object.entries(value as Node)) {
    if (onlyCounts(tag, child)) continue
    if (tag === 'ColumnRef') {
      const last = list(record(child)['fields']).at(-1)
      found.add(last?.['String'] === undefined ? ANY_COLUMN : text(record(last['String'])['sval']))
    } else if (tag === 'SubLink') {
      // EXISTS tells of a row whether it is there, and no value of it.
      if (record(child)['subLinkType'] !== 'EXISTS_SUBLINK')
        for (const source of carriedBy(record(record(child)['subselect']))) found.add(source)
      collect(record(child)['testexpr'], found)
    } else {
      // `(t).email` is a column, too.
      if (tag === 'A_Indirection' && list(record(child)['indirection']).some((step) => step['String'] !== undefined))
        found.add(ANY_COLUMN)
      collect(child, found)
    }
  }
}

function name(target: Node): string {
  if (target['name'] !== undefined) return text(target['name'])
  const last = list(record(record(target['val'])['ColumnRef'])['fields']).at(-1)
  return last?.['String'] === undefined ? ANY_COLUMN : text(record(last['String'])['sval'])
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
