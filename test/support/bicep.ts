import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Language, type Node, Parser } from 'web-tree-sitter'

/** What one Bicep file declares and uses; of the syntax only, as no compiler is to be had from the registries. */
export interface Bicep {
  /** Where it does not parse, `line:column text`. */
  readonly errors: readonly string[]
  /** Parameters; true where one has a default. */
  readonly parameters: ReadonlyMap<string, boolean>
  /** Symbolic name to `type@version`. */
  readonly resources: ReadonlyMap<string, string>
  readonly modules: ReadonlyMap<string, { readonly file: string; readonly given: readonly string[] }>
  readonly outputs: readonly string[]
  readonly variables: readonly string[]
  /** `module.outputs.name` as used. */
  readonly usedOutputs: readonly (readonly [module: string, output: string])[]
  /** Every plain name that is read. */
  readonly names: ReadonlySet<string>
}

const WASM = fileURLToPath(new URL('../../node_modules/tree-sitter-bicep/tree-sitter-bicep.wasm', import.meta.url))

export async function bicepReader(): Promise<(path: string) => Bicep> {
  await Parser.init()
  const language = await Language.load(WASM)
  return (path) => {
    const parser = new Parser()
    parser.setLanguage(language)
    const tree = parser.parse(readFileSync(path, 'utf8'))
    if (tree === null) throw new Error(`${path} is not parsed`)
    return read(tree.rootNode)
  }
}

function read(root: Node): Bicep {
  const parameters = new Map<string, boolean>()
  const resources = new Map<string, string>()
  const modules = new Map<string, { readonly file: string; readonly given: readonly string[] }>()
  const outputs: string[] = []
  const variables: string[] = []
  for (const node of root.namedChildren) {
    if (node === null) continue
    const [name, ...rest] = node.namedChildren.flatMap((child) => child ?? [])
    if (name === undefined) continue
    const text = rest.find(({ type }) => type === 'string')?.text.slice(1, -1) ?? ''
    if (node.type === 'parameter_declaration') parameters.set(name.text, node.text.includes('='))
    if (node.type === 'resource_declaration') resources.set(name.text, text)
    if (node.type === 'module_declaration') modules.set(name.text, { file: text, given: givenIn(node) })
    if (node.type === 'output_declaration') outputs.push(name.text)
    if (node.type === 'variable_declaration') variables.push(name.text)
  }
  const all = [...walk(root)]
  return {
    errors: all.flatMap((node) =>
      node.isError || node.isMissing
        ? [`${node.startPosition.row + 1}:${node.startPosition.column + 1} ${node.text.slice(0, 40)}`]
        : [],
    ),
    parameters,
    resources,
    modules,
    outputs,
    variables,
    usedOutputs: all.flatMap(({ type, text }) => {
      const [, module = '', output = ''] = (type === 'member_expression' && /^(\w+)\.outputs\.(\w+)$/.exec(text)) || []
      return module === '' ? [] : [[module, output] as const]
    }),
    names: new Set(all.flatMap((node) => (node.type === 'identifier' && isRead(node) ? [node.text] : []))),
  }
}

/** The keys of a module's `params`. */
function givenIn(module: Node): readonly string[] {
  const body = module.namedChildren.find((child) => child?.type === 'object')
  const params = body?.namedChildren.find((child) => child?.namedChildren[0]?.text === 'params')?.namedChildren[1]
  return (
    params?.namedChildren.flatMap((child) => (child?.type === 'object_property' ? (child.namedChildren[0]?.text ?? []) : [])) ??
    []
  )
}

/** Not a key, nor what is declared here. */
function isRead(node: Node): boolean {
  const { parent } = node
  if (parent === null) return false
  const first = parent.namedChildren[0]?.id === node.id
  return !(first && /^(object_property|\w+_declaration)$/.test(parent.type)) && parent.type !== 'for_loop_parameters'
}

function* walk(node: Node): Generator<Node> {
  yield node
  for (const child of node.children) if (child !== null) yield* walk(child)
}
