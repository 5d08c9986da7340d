import { ANY_COLUMN } from '../../policy/sql/carried.ts'
import type { Node } from '../../policy/sql/parse.ts'

/** What the names in a statement stand for, as far as its tree tells. */
export interface Mentions {
  /** Names that stand for a result column the statement itself gave that name, and for nothing else. */
  readonly given: ReadonlySet<string>
  /** Columns that conditions inside of result columns look at: a CASE, a comparison, a sub-query's WHERE. */
  readonly compared: ReadonlySet<string>
  /** Operators as they are written. */
  readonly operators: ReadonlySet<string>
}

/** Operators that make a value of two; every other one tells something of them. */
const MAKING = new Set('+ - * / % ^ || & | # << >> -> ->> #> #>> #- @ |/ ||/'.split(' '))

/** Functions of PostgreSQL's own that answer yes or no about a text. */
export const TESTING: ReadonlySet<string> = new Set(
  `starts_with regexp_like like notlike like_escape textlike textnlike texticlike texticnlike texteq textne text_lt text_le text_gt
  text_ge textregexeq textregexne texticregexeq texticregexne text_pattern_lt text_pattern_le text_pattern_ge text_pattern_gt
  bpcharlike bpcharnlike bpchariclike bpcharicnlike bpchareq bpcharne bpcharlt bpcharle bpchargt bpcharge bpcharregexeq
  bpcharregexne bpcharicregexeq bpcharicregexne bpchar_pattern_lt bpchar_pattern_le bpchar_pattern_ge bpchar_pattern_gt namelike
  namenlike nameiclike nameicnlike nameeq namene namelt namele namegt namege namelttext nameletext nameeqtext namegetext
  namegttext namenetext textltname textlename texteqname textgename textgtname textnename nameregexeq nameregexne nameicregexeq
  nameicregexne bytealike byteanlike byteaeq byteane bytealt byteale byteagt byteage ts_match_tt ts_match_tq ts_match_qv
  ts_match_vq pg_input_is_valid isempty num_nulls num_nonnulls jsonb_exists jsonb_exists_any jsonb_exists_all jsonb_contains
  jsonb_contained jsonb_eq jsonb_ne jsonb_lt jsonb_le jsonb_gt jsonb_ge jsonb_path_exists jsonb_path_match
  jsonb_path_exists_opr jsonb_path_match_opr jsonb_path_exists_tz jsonb_path_match_tz xpath_exists xmlexists xml_is_well_formed
  xml_is_well_formed_content xml_is_well_formed_document array_eq array_ne array_lt array_le array_gt array_ge arrayoverlap
  arraycontains arraycontained record_eq record_ne record_lt record_le record_gt record_ge record_image_eq record_image_ne
  record_image_lt record_image_le record_image_gt record_image_ge unicode_assigned is_normalized isfinite booleq boolne
  btarraycmp btbpchar_pattern_cmp btnametextcmp btrecordcmp btrecordimagecmp bttextcmp bttextnamecmp bttext_pattern_cmp
  btcharcmp chareq charne charlt charle chargt charge satisfies_hash_partition range_contains_elem elem_contained_by_range
  multirange_contains_elem elem_contained_by_multirange gin_compare_jsonb gin_cmp_tslexeme btnamecmp byteacmp bpcharcmp jsonb_cmp enum_cmp`.split(
    /\s+/,
  ),
)

/** `statements`: as the grammar gives them. */
export function mentionsOf(statements: readonly Node[]): Mentions {
  const found = new Found()
  found.visit(statements, false)
  const given = [...found.given].filter((name) =>
    [...(found.qualifiers.get(name) ?? [])].every((alias) => found.derived.has(alias) && !found.relations.has(alias)),
  )
  return { given: new Set(given), compared: found.compared, operators: found.operators }
}

class Found {
  readonly given = new Set<string>()
  readonly compared = new Set<string>()
  readonly operators = new Set<string>()
  /** By column name: what it is qualified with; the empty string for anything longer or stranger than one alias. */
  readonly qualifiers = new Map<string, Set<string>>()
  /** Aliases of sub-queries and names of CTEs, and names by which relations and functions are meant. */
  readonly derived = new Set<string>()
  readonly relations = new Set<string>()

  /** `shown`: inside of what becomes a result column. */
  visit(value: unknown, shown: boolean): void {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, shown)
      return
    }
    if (!isNode(value)) return
    for (const [tag, child] of Object.entries(value)) this.#node(tag, child, shown)
  }

  #node(tag: string, child: unknown, shown: boolean): void {
    const body = isNode(child) ? child : {}
    switch (tag) {
      case 'SelectStmt':
      case 'larg':
      case 'rarg':
        this.#select(body)
        return
      case 'UpdateStmt':
        this.visit(body['targetList'], true)
        break
      case 'returningClause':
      case 'returningList':
        this.visit(child, true)
        return
      case 'RangeVar':
        // Of a CTE it is not known here that it is none; its own name is among the derived ones.
        if (isNode(body['alias']) || !this.derived.has(text(body['relname']))) this.#alias(body, this.relations)
        return
      case 'RangeFunction':
        this.#alias(body, this.relations)
        break
      case 'RangeSubselect':
        this.#alias(body, this.derived)
        break
      case 'CommonTableExpr':
        this.derived.add(text(body['ctename']))
        break
      case 'ColumnRef':
        this.#reference(list(body['fields']))
        return
      case 'A_Indirection':
        for (const step of list(body['indirection'])) this.#qualify(stringOf(step), '')
        break
      case 'A_Expr':
        // BETWEEN is two comparisons of PostgreSQL's own spelling.
        if (!String(body['kind']).includes('BETWEEN')) this.operators.add(stringOf(list(body['name']).at(-1)))
        break
      default:
        break
    }
    if (shown && isTest(tag, body)) collect(body, this.compared)
    // What a sub-query's WHERE asks of a row decides what it gives back.
    if (shown && tag === 'SubLink') {
      const select = isNode(body['subselect']) ? body['subselect']['SelectStmt'] : undefined
      if (isNode(select)) collect(select['whereClause'], this.compared)
    }
    this.visit(child, shown)
  }

  #select(body: Node): void {
    // CTEs first, so that their names are known where they are used.
    this.visit(body['withClause'], false)
    for (const item of list(body['targetList'])) {
      const target = item['ResTarget']
      if (isNode(target) && target['name'] !== undefined) this.given.add(text(target['name']))
    }
    for (const [key, child] of Object.entries(body)) {
      if (key === 'withClause') continue
      if (key === 'larg' || key === 'rarg') this.#select(isNode(child) ? child : {})
      else this.visit(child, key === 'targetList' || key === 'valuesLists')
    }
  }

  #alias(body: Node, into: Set<string>): void {
    const alias = isNode(body['alias']) ? body['alias']['aliasname'] : body['relname']
    if (typeof alias === 'string') into.add(alias)
  }

  #reference(fields: readonly Node[]): void {
    const name = stringOf(fields.at(-1))
    if (fields.length === 2) this.#qualify(name, stringOf(fields[0]))
    else if (fields.length > 2) this.#qualify(name, '')
  }

  #qualify(name: string, alias: string): void {
    const known = this.qualifiers.get(name)
    if (known === undefined) this.qualifiers.set(name, new Set([alias]))
    else known.add(alias)
  }
}

function isTest(tag: string, body: Node): boolean {
  switch (tag) {
    case 'A_Expr':
      return body['kind'] !== 'AEXPR_OP' || !MAKING.has(stringOf(list(body['name']).at(-1)))
    case 'CaseExpr':
    case 'BooleanTest':
      return true
    case 'FuncCall':
      return TESTING.has(stringOf(list(body['funcname']).at(-1)))
    default:
      return false
  }
}

/** Every column named in there, but for those of which it only matters whether there is a value. */
function collect(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, into)
    return
  }
  if (!isNode(value)) return
  for (const [tag, child] of Object.entries(value)) {
    if (tag === 'NullTest') continue
    if (tag === 'ColumnRef' && isNode(child)) into.add(stringOf(list(child['fields']).at(-1)) || ANY_COLUMN)
    else collect(child, into)
  }
}

function stringOf(node: Node | undefined): string {
  const value = node?.['String']
  return isNode(value) ? text(value['sval']) : ''
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function list(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value : []
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
