import { fileURLToPath } from 'node:url'
import { Language, Parser, type TreeCursor } from 'web-tree-sitter'
import { cpuUs } from './cpu.ts'

/** Longer command texts are not read: they count as unparsable. Linux takes 128 KiB in one argument; what is that long is data. */
export const MAX_SHELL_BYTES = 65_536
/** Nodes of one syntax tree: a few per character at most; the walk visits each a bounded number of times. */
const MAX_NODES = 60_000
/** Nested deeper than anybody writes; the walk over the tree is recursive. */
const MAX_DEPTH = 150
/** The last resort against a text that costs the grammar more than its length tells, in us of this thread's CPU time; what costs is counted beforehand. */
const MAX_PARSE_US = 250_000

/** One node of bash's syntax as tree-sitter reads it. `start` and `end` are UTF-16 offsets into the text. */
export interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly children: readonly Syntax[]
}

let parser: Parser | undefined
let loading: Promise<void> | undefined

/** Loads the grammar (WebAssembly from two packages, no network, about 0.1 s). Once per process; to be awaited before the first text is read. */
export function loadShell(): Promise<void> {
  loading ??= load()
  return loading
}

async function load(): Promise<void> {
  await Parser.init()
  const bash = await Language.load(fileURLToPath(import.meta.resolve('tree-sitter-bash/tree-sitter-bash.wasm')))
  parser = new Parser().setLanguage(bash)
}

/** The syntax of a text, or undefined where it cannot be read completely: an error anywhere, too large, too deep, too costly. */
export function parseShell(text: string): Syntax | undefined {
  if (parser === undefined) throw new Error('loadShell() has to be awaited before shell texts are read')
  if (text.length > MAX_SHELL_BYTES || Buffer.byteLength(text) > MAX_SHELL_BYTES || isCostly(text)) return undefined
  const untilUs = cpuUs() + MAX_PARSE_US
  const stop = ({ hasError }: { readonly hasError: boolean }): boolean => hasError || cpuUs() > untilUs
  const tree = parser.parse(text, null, { progressCallback: stop })
  if (tree === null) {
    parser.reset()
    return undefined
  }
  try {
    if (tree.rootNode.hasError) return undefined
    const cursor = tree.walk()
    try {
      return copy(cursor)
    } finally {
      cursor.delete()
    }
  } finally {
    tree.delete()
  }
}

/** The tree in plain objects: each look into WebAssembly costs more than the object. */
function copy(cursor: TreeCursor): Syntax | undefined {
  const stack: { readonly node: Syntax; readonly children: Syntax[] }[] = []
  for (let count = 0; count < MAX_NODES; count++) {
    const children: Syntax[] = []
    const node = { type: cursor.nodeType, start: cursor.startIndex, end: cursor.endIndex, children }
    if (cursor.nodeIsMissing) return undefined
    stack.at(-1)?.children.push(node)
    if (cursor.gotoFirstChild()) {
      stack.push({ node, children })
      if (stack.length > MAX_DEPTH) return undefined
      continue
    }
    while (!cursor.gotoNextSibling()) {
      const parent = stack.pop()
      if (parent === undefined) return node
      if (stack.length === 0) return parent.node
      cursor.gotoParent()
    }
  }
  return undefined
}

/** What the grammar reads several ways at once, so that its cost grows with more than the length of the text. Nobody writes this many. */
const COSTLY: readonly (readonly [what: RegExp, most: number])[] = [
  [/[<>]/g, 300],
  [/\|/g, 300],
  [/=\(/g, 60],
  [/<</g, 40],
  [/[({]/g, 2_000],
]
const COSTLY_RUN = /[<>|&;(]{12}/
/** Expansions beside a here-document: in an unquoted one the grammar looks ahead at each. */
const MAX_EXPANSIONS_WITH_HEREDOC = 400

function isCostly(text: string): boolean {
  if (COSTLY_RUN.test(text)) return true
  if (COSTLY.some(([what, most]) => countOf(text, what) > most)) return true
  return /<<-?[^<'"\\]/.test(text) && countOf(text, /[$`]/g) > MAX_EXPANSIONS_WITH_HEREDOC
}

function countOf(text: string, what: RegExp): number {
  let count = 0
  for (const _ of text.matchAll(what)) count++
  return count
}
