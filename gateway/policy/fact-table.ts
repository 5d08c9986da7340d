import type { Match } from '../../schemas/policy.ts'

type Type = 'text' | 'list' | 'flag' | 'number'

/** Every fact that rules may go by, of any protocol, by what it is. What a condition sees and what a match asks both follow from it. */
export const FACTS = {
  // PostgreSQL
  verbs: 'list',
  relations: 'list',
  columns: 'list',
  labels: 'list',
  functions: 'list',
  function_categories: 'list',
  sets: 'list',
  copies: 'list',
  without_where: 'list',
  trivial_where: 'list',
  has_where: 'flag',
  select_star: 'flag',
  ddl: 'flag',
  writes: 'flag',
  dynamic: 'flag',
  multi: 'flag',
  catalog_access: 'flag',
  role_change: 'flag',
  parser_change: 'flag',
  explain_analyze: 'flag',
  masked_write: 'flag',
  writes_from_masked: 'flag',
  in_transaction: 'flag',
  limit: 'number',
  statement_count: 'number',
  fingerprint: 'text',
  // Whatever is read
  parse_ok: 'flag',
  size: 'number',
  text: 'text',
  // HTTP, and Kubernetes on it
  method: 'text',
  path: 'text',
  route: 'text',
  content_type: 'text',
  rpc_method: 'list',
  listed: 'flag',
  intercepted: 'flag',
  tool: 'list',
  graphql: 'list',
  verb: 'text',
  resource: 'text',
  api_group: 'text',
  namespace: 'text',
  name: 'text',
  // SSH
  pty: 'flag',
  unshown: 'flag',
  subsystem: 'text',
  direction: 'text',
  host: 'text',
  port: 'number',
  operations: 'list',
  // Command texts
  command: 'text',
  commands: 'list',
  programs: 'list',
  paths: 'list',
  redirects: 'list',
  hosts: 'list',
  pipes: 'list',
  opaque: 'list',
  network: 'flag',
  analysable: 'flag',
  dynamic_arguments: 'flag',
  background: 'flag',
  elevates: 'flag',
} as const satisfies Readonly<Record<string, Type>>
export type FactName = keyof typeof FACTS

/** Which facts a field of a match looks at. A field that is new in the schema has to say so here, or nothing compiles. */
export const FACTS_OF_MATCH = {
  kind: [],
  verb: ['verbs', 'verb'],
  relations: ['relations'],
  columns: ['columns'],
  labels: ['labels'],
  functions: ['functions'],
  function_categories: ['function_categories'],
  sets: ['sets'],
  copy: ['copies'],
  text: ['text'],
  method: ['method'],
  path: ['path'],
  route: ['route'],
  content_type: ['content_type'],
  resource: ['resource'],
  api_group: ['api_group'],
  namespace: ['namespace'],
  name: ['name'],
  rpc_method: ['rpc_method'],
  tool: ['tool'],
  graphql: ['graphql'],
  command: ['commands', 'command'],
  program: ['programs'],
  file: ['paths', 'redirects'],
  redirect: ['redirects'],
  host: ['hosts', 'host'],
  listed: ['listed'],
  pipe: ['pipes'],
  opaque: ['opaque'],
  network: ['network'],
  analysable: ['analysable'],
  dynamic_arguments: ['dynamic_arguments'],
  background: ['background'],
  elevates: ['elevates'],
  pty: ['pty'],
  unshown: ['unshown'],
  subsystem: ['subsystem'],
  forward: ['direction', 'host', 'port'],
  operation: ['operations'],
  has_where: ['has_where', 'without_where'],
  where_trivial: ['has_where', 'trivial_where'],
  select_star: ['select_star'],
  limited: ['limit'],
  ddl: ['ddl'],
  writes: ['writes'],
  dynamic: ['dynamic'],
  multi: ['multi'],
  catalog_access: ['catalog_access'],
  role_change: ['role_change'],
  parser_change: ['parser_change'],
  explain_analyze: ['explain_analyze'],
  parse_ok: ['parse_ok'],
  masked_write: ['masked_write'],
  writes_from_masked: ['writes_from_masked'],
  limit: ['limit'],
  size: ['size'],
  statement_count: ['statement_count'],
} as const satisfies Readonly<Record<keyof Match, readonly FactName[]>>

/** Facts of a message of which a match may ask these fields, as a condition names them. */
export function factsAsked(asked: ReadonlySet<keyof Match>): readonly string[] {
  const facts: string[] = ['version', ...[...asked].flatMap((field) => FACTS_OF_MATCH[field])]
  if (asked.has('kind')) facts.push('kind')
  if (asked.has('limit')) facts.push('limited')
  // What only conditions see.
  if (asked.has('verb') && asked.has('relations')) facts.push('in_transaction', 'fingerprint')
  return facts
}

const fields = Object.keys(FACTS_OF_MATCH) as (keyof Match)[]

/** Names of the facts of one type. */
export function factsOf<T extends Type>(type: T): readonly FactName[] {
  return (Object.keys(FACTS) as FactName[]).filter((name) => FACTS[name] === type)
}

/** Fields of a match that ask one fact of this type, of the same name, and nothing else. */
function plainFields<T extends Type>(type: T): readonly (keyof Match)[] {
  return fields.filter((field) => {
    const [fact, more] = FACTS_OF_MATCH[field]
    return fact === field && more === undefined && FACTS[fact] === type
  })
}

export const FLAG_FIELDS = plainFields('flag') as readonly FieldOf<boolean>[] // the schema has them as booleans
export const RANGE_FIELDS = plainFields('number') as readonly FieldOf<{ readonly min?: number }>[] // and these as ranges

type FieldOf<V> = { [F in keyof Match]-?: V extends NonNullable<Match[F]> ? F : never }[keyof Match]
