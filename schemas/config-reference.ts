import type { TSchema } from 'typebox'
import { Config } from './config.ts'

/** What is used of a JSON Schema. */
interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly anyOf?: readonly Node[]
  readonly items?: Node
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
}

const HEAD = `# Configuration reference

Every setting of \`sallyport.yaml\`, generated from its schema by \`npm run schemas\`; [operations](operations.md) says what they are for. \`[]\` is an entry of a list, \`*\` a
name of your own; what is bold must be there where its section is. Editors complete the file from \`schemas/json/config.schema.json\`.
`

/** docs/config-reference.md. */
export function configReference(): string {
  const root = plain(Config)
  const sections = Object.entries(root.properties ?? {}).map(([name, node]) => {
    const about = node.description === undefined ? '' : `\n${cell(node.description)}.\n`
    const rows = rowsOf(name, node, root.required?.includes(name) === true)
    return `\n## ${name}\n${about}\n| setting | what it takes | |\n|---|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |\n`).join('')}`
  })
  return HEAD + sections.join('')
}

function rowsOf(path: string, node: Node, required: boolean): string[][] {
  const own = [required ? `**\`${path}\`**` : `\`${path}\``, cell(typeOf(node)), cell(node.description ?? '')]
  return [own, ...below(path, node)]
}

function below(path: string, node: Node): string[][] {
  const named = Object.entries(node.properties ?? {}).flatMap(([name, each]) =>
    rowsOf(`${path}.${name}`, each, node.required?.includes(name) === true),
  )
  const others = Object.values(node.patternProperties ?? {}).flatMap((each) => below(`${path}.*`, each))
  const items = node.items === undefined ? [] : below(`${path}[]`, node.items)
  // A choice of objects: what each of them has. Whatever has none is told by its type.
  const choices = (node.anyOf ?? []).filter((each) => each.properties !== undefined).flatMap((each) => below(path, each))
  return unique([...named, ...others, ...items, ...choices])
}

function unique(rows: readonly string[][]): string[][] {
  const seen = new Set<string>()
  return rows.filter((row) => {
    const text = row.join('|')
    return !seen.has(text) && seen.add(text)
  })
}

function typeOf(node: Node): string {
  const { type, anyOf, items, minimum, maximum, pattern } = node
  const standard = node.default === undefined ? '' : `; default ${JSON.stringify(node.default)}`
  if (node.const !== undefined) return `\`${String(node.const)}\``
  if (anyOf !== undefined) return `${[...new Set(anyOf.map(typeOf))].join(' or ')}${standard}`
  if (items !== undefined) return `list of ${typeOf(items)}`
  const range = minimum === undefined && maximum === undefined ? '' : `, ${minimum ?? ''} to ${maximum ?? 'any'}`
  const form = pattern === undefined ? '' : ` like \`${pattern}\``
  return `${type === 'object' ? keysOf(node) : (type ?? 'anything')}${range}${form}${standard}`
}

function keysOf({ properties }: Node): string {
  const names = Object.keys(properties ?? {})
  return names.length === 0 ? 'names and values' : `section: ${names.map((name) => `\`${name}\``).join(', ')}`
}

/** Within a row of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** As it is published: without what only the type checker sees. */
function plain(schema: TSchema): Node {
  return JSON.parse(JSON.stringify(schema))
}
