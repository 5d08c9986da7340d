import { arithmetic, assign, expandValue, expandWord, expandWords, tellVariable } from './expand.ts'
import type { Syntax } from './parse.ts'
import { Disagreement } from './quoting.ts'
import { redirect } from './redirects.ts'
import { type Scope, type Value, type Walk, WORDS } from './scope.ts'
import { anyWord, join, literalOf, prefixOf, textWord, type Word } from './word.ts'

/** Words that are no command where a command begins, but the shell's own. */
const KEYWORDS = new Set('if then else elif fi do done case esac while until for in function select { } ! [[ ]]'.split(' '))

export function simpleCommand(node: Syntax, scope: Scope, walk: Walk): void {
  const parts: Syntax[][] = []
  let end = -1
  const inner = scope.fork()
  const set: string[] = []
  for (const child of node.children) {
    if (child.type === 'variable_assignment') set.push(prefixed(child, inner, walk))
    else if (/redirect$/.test(child.type)) {
      redirect(child, inner, walk)
      end = -1
    } else if (child.type === 'subshell') throw new Disagreement('a subshell in a command')
    else {
      const nodes = child.type === 'command_name' ? child.children : [child]
      // Without a blank between them they are one word.
      if (child.start === end) parts.at(-1)?.push(...nodes)
      else parts.push([...nodes])
      end = child.end
    }
  }
  const raw = parts[0] === undefined ? '' : scope.source.slice(parts[0][0]?.start, parts[0].at(-1)?.end)
  if (KEYWORDS.has(raw)) throw new Disagreement('a keyword as a command')
  const words = parts.flatMap((nodes) => expandWords(nodes, inner, walk))
  // A value set for the command alone is not seen by its words, but by what it runs; without a command it stays.
  inner.forget(set)
  inner.cdTo = undefined
  walk.command(words, inner)
  const { cdTo } = inner
  scope.become([inner])
  scope.cdTo = cdTo
}

/** `NAME=value command`. */
function prefixed(node: Syntax, scope: Scope, walk: Walk): string {
  const [name, , ...value] = node.children
  if (name?.type !== 'variable_name') throw new Disagreement('a subscript')
  assignedValue(value, scope, walk)
  const text = scope.source.slice(name.start, name.end)
  tellVariable(text, walk)
  return text
}

export function assignment(node: Syntax, scope: Scope, walk: Walk): void {
  const [name, operator, ...value] = node.children
  if (name === undefined) throw new Disagreement('an assignment to nothing')
  const text = scope.source.slice(name.start, name.end)
  if (name.type === 'subscript') {
    if (!/^[A-Za-z_][A-Za-z0-9_]*\[[0-9]+\]$/.test(text)) walk.found.hide('arithmetic')
    assignedValue(value, scope, walk)
    assign(text.replace(/\[.*$/s, ''), 'unknown', scope, walk)
    return
  }
  const known = assignedValue(value, scope, walk)
  const before = scope.vars.get(text)
  if (operator?.type !== '+=') {
    assign(text, known, scope, walk)
    return
  }
  assign(
    text,
    typeof known === 'object' && typeof before === 'object' ? { word: join([...before.word, ...known.word]) } : 'unknown',
    scope,
    walk,
  )
}

function assignedValue(nodes: readonly Syntax[], scope: Scope, walk: Walk): Value {
  if (nodes[0]?.type !== 'array') return expandValue(nodes, scope, walk)
  for (const element of nodes[0].children) {
    if (element.type === '(' || element.type === ')') continue
    // [subscript]=value: the subscript is read as arithmetic.
    if (element.type === 'variable_assignment' || scope.source[element.start] === '[') walk.found.hide('arithmetic')
    else expandWords([element], scope, walk)
  }
  return 'unknown'
}

export function declaration(node: Syntax, scope: Scope, walk: Walk): void {
  const [keyword, ...parts] = node.children
  const name = keyword === undefined ? '' : scope.source.slice(keyword.start, keyword.end)
  const words: Word[] = []
  for (const part of parts) {
    if (part.type === 'variable_assignment') {
      assignment(part, scope, walk)
      words.push(anyWord('$()', false))
    } else if (/redirect$/.test(part.type)) redirect(part, scope, walk)
    else words.push(...expandWords([part], scope, walk))
  }
  // Once more by the builtin, which looks at options and names.
  walk.command([textWord(name), ...words.filter((word) => literalOf(word) !== undefined || prefixOf(word) !== '')], scope)
  if (words.some((word, index) => literalOf(word) === undefined && parts[index]?.type !== 'variable_assignment'))
    walk.found.hide('declare')
}

/** `[[ ]]`: comparisons by number read their words as arithmetic; `=~` and `==` do not. */
export function testCommand(node: Syntax, scope: Scope, walk: Walk): void {
  const raw = scope.source.slice(node.start, node.end)
  const numbers = raw.startsWith('[[') ? /-(eq|ne|lt|le|gt|ge|v|R)\s/ : /-[vR]\s/
  if (raw.startsWith('((') || numbers.test(raw)) {
    arithmetic(node, scope, walk)
    return
  }
  const visit = (part: Syntax): void => {
    if (WORDS.has(part.type)) expandWord([part], scope, walk)
    else if (part.type === 'regex' && /[`$]./.test(scope.source.slice(part.start, part.end)))
      throw new Disagreement('an expansion in a pattern')
    else part.children.forEach(visit)
  }
  visit(node)
}
