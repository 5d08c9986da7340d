import type { Node } from './parse.ts'

/** Something cannot be told by name: any relation, function or operator may mean another by then. */
export const ANYTHING = '*'

/** Of ALTER TABLE, what changes where rows of a relation come from, or what its columns are made of. */
const REACHING: ReadonlySet<unknown> = new Set(['AT_AddInherit', 'AT_AttachPartition', 'AT_AlterColumnType', 'AT_SetExpression'])
const RELATIONS: ReadonlySet<unknown> = new Set(
  ['TABLE', 'VIEW', 'MATVIEW', 'FOREIGN_TABLE', 'SEQUENCE'].map((type) => `OBJECT_${type}`),
)
const FUNCTIONS: ReadonlySet<unknown> = new Set(['FUNCTION', 'PROCEDURE', 'ROUTINE', 'AGGREGATE'].map((type) => `OBJECT_${type}`))

/**
 * What a statement that defines makes another thing of than it was, or makes at all, as far as it can matter to what is read:
 * `relation name`, `function name`, `operator name` (their last parts), `cast`, or ANYTHING. Nothing of an index, a grant, a comment.
 */
export function definedBy(tag: string, body: Node): readonly string[] {
  switch (tag) {
    case 'CreateStmt':
      return [...relation(body['relation']), ...list(body['inhRelations']).flatMap((item) => relation(item['RangeVar']))]
    case 'CreateForeignTableStmt':
      return definedBy('CreateStmt', record(body['base']))
    case 'CreateTableAsStmt':
      return relation(record(body['into'])['rel'])
    case 'ViewStmt':
      return relation(body['view'])
    case 'CreateSeqStmt':
      return relation(body['sequence'])
    case 'RuleStmt':
    case 'AlterObjectSchemaStmt':
      return relation(body['relation'])
    case 'AlterTableStmt':
      return altered(body)
    case 'RenameStmt':
      return renamed(body)
    case 'DropStmt':
      return RELATIONS.has(body['removeType'])
        ? list(body['objects']).flatMap(({ List }) => named('relation', record(List)['items']))
        : []
    case 'CreateFunctionStmt':
      return named('function', body['funcname'])
    case 'DefineStmt':
      if (body['kind'] === 'OBJECT_OPERATOR') return named('operator', body['defnames'])
      return FUNCTIONS.has(body['kind']) ? named('function', body['defnames']) : []
    case 'CreateCastStmt':
      return ['cast']
    case 'DoStmt':
    case 'CreateExtensionStmt':
    case 'AlterExtensionStmt':
    case 'AlterExtensionContentsStmt':
    case 'ImportForeignSchemaStmt':
      return [ANYTHING]
    default:
      return []
  }
}

function altered(body: Node): readonly string[] {
  const commands = list(body['cmds']).map((item) => record(item['AlterTableCmd']))
  const reaching = commands.filter(({ subtype }) => REACHING.has(subtype))
  if (reaching.length === 0) return []
  const others = reaching.map(({ def }) => record(record(def)['PartitionCmd'])['name'] ?? record(def)['RangeVar'])
  return [body['relation'], ...others].flatMap(relation)
}

/** Under the new name; of columns, rules and the like the relation. A schema's new name is part of every name in it. */
function renamed(body: Node): readonly string[] {
  const { renameType: type, newname } = body
  if (type === 'OBJECT_SCHEMA') return [ANYTHING]
  if (FUNCTIONS.has(type)) return [`function ${String(newname)}`]
  return RELATIONS.has(type) ? [...relation(body['relation']), `relation ${String(newname)}`] : relation(body['relation'])
}

function relation(value: unknown): readonly string[] {
  const { relname } = record(value)
  return typeof relname === 'string' ? [`relation ${relname}`] : []
}

function named(what: string, parts: unknown): readonly string[] {
  const { sval } = record(list(parts).at(-1)?.['String'])
  return typeof sval === 'string' ? [`${what} ${sval}`] : []
}

function record(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {}
}

function list(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value : []
}
