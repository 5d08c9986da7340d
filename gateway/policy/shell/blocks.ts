import { assign, expandWord, expandWords } from './expand.ts'
import type { Syntax } from './parse.ts'
import { notePipe } from './pipes.ts'
import { Disagreement } from './quoting.ts'
import { redirect } from './redirects.ts'
import { type Scope, type Walk, WORDS } from './scope.ts'
import { isKnown, type Word } from './word.ts'

/** More turns of a `for` than these are looked at as one whose variable is not known. */
const MAX_TURNS = 32

export function pipeline(node: Syntax, scope: Scope, walk: Walk): void {
  const parts = node.children.filter(({ type }) => type !== '|' && type !== '|&')
  const leading = node.children[0]?.type === '|' || node.children[0]?.type === '|&'
  parts.forEach((part, index) => {
    const inner = scope.fork()
    if (index > 0 || leading) inner.stdin = 'other'
    walk.node(part, inner)
    // With `lastpipe`, and in other shells, the last one's variables stay.
    scope.forget(inner.assigned)
  })
  notePipe(node.children, scope, walk)
}

export function list(node: Syntax, scope: Scope, walk: Walk): void {
  const [left, operator, right] = node.children
  if (left === undefined || right === undefined || (operator?.type !== '&&' && operator?.type !== '||')) {
    walk.all(node.children, scope)
    return
  }
  walk.node(left, scope)
  const then = scope.fork()
  if (operator.type === '&&' && scope.cdTo !== undefined) then.cwds = scope.cdTo
  walk.node(right, then)
  const { cdTo } = then
  scope.become([scope.fork(), then])
  if (operator.type === '&&') scope.cdTo = cdTo ?? (scope.cdTo === undefined ? undefined : scope.cdTo)
}

export function ifStatement(node: Syntax, scope: Scope, walk: Walk): void {
  const ways: Scope[] = []
  const before = scope.fork()
  let way = scope.fork()
  for (const child of node.children) {
    if (child.type === 'elif_clause' || child.type === 'else_clause') {
      ways.push(way)
      way = before.fork()
      way.forget(ways.flatMap(({ assigned }) => [...assigned]))
      if (ways.some(({ cwds }) => cwds.length === 0)) way.cwds = []
      walk.all(child.children, way)
    } else walk.node(child, way)
  }
  scope.become([...ways, way, before])
}

export function caseStatement(node: Syntax, scope: Scope, walk: Walk): void {
  const [, subject, ...rest] = node.children
  if (subject !== undefined && WORDS.has(subject.type)) expandWord([subject], scope, walk)
  const ways: Scope[] = [scope.fork()]
  for (const item of rest) {
    if (item.type !== 'case_item') continue
    const way = scope.fork()
    const close = item.children.findIndex(({ type }) => type === ')')
    for (const pattern of item.children.slice(0, close)) if (WORDS.has(pattern.type)) expandWord([pattern], way, walk)
    // `;&` falls through: what an earlier one set may be set here.
    way.forget(ways.flatMap(({ assigned }) => [...assigned]))
    walk.all(
      item.children.slice(close + 1).filter(({ type }) => !/^;[;&]/.test(type)),
      way,
    )
    ways.push(way)
  }
  scope.become(ways)
}

export function forStatement(node: Syntax, scope: Scope, walk: Walk): void {
  const [, variable] = node.children
  if (variable?.type !== 'variable_name') throw new Disagreement('a loop without its variable')
  const name = scope.source.slice(variable.start, variable.end)
  const parts = node.children.slice(2)
  const values = parts.filter(({ type }) => WORDS.has(type)).flatMap((part) => expandWords([part], scope, walk))
  const body = parts.filter(({ type }) => type === 'do_group' || type === 'compound_statement')
  const known = parts.some(({ type }) => type === 'in') && values.length <= MAX_TURNS && node.children[0]?.type === 'for'
  const turns: (Word | undefined)[] = known ? values : [undefined]
  for (const value of turns) {
    loop(scope, walk, (turn) => {
      turn.set(name, value !== undefined && isKnown(value) ? { word: value } : 'unknown')
      walk.all(body, turn)
    })
  }
  assign(name, 'unknown', scope, walk)
}

/** A body that runs any number of times: whatever it sets is not known while it runs, nor afterwards. */
export function loop(scope: Scope, walk: Walk, body: (turn: Scope) => void): void {
  const { found } = walk
  // Once to see what it sets; what it says meanwhile does not count.
  const probe = scope.fork()
  walk.found = found.aside()
  body(probe)
  walk.found = found
  const turn = scope.fork()
  turn.forget(probe.assigned)
  const moves = probe.cwds.length !== scope.cwds.length || probe.cwds.some((cwd, index) => cwd !== scope.cwds[index])
  if (moves) turn.cwds = []
  body(turn)
  scope.forget([...probe.assigned, ...turn.assigned])
  if (moves) scope.cwds = []
}

export function functionDefinition(node: Syntax, scope: Scope, walk: Walk): void {
  const [name] = node.children.filter(({ type }) => type === 'word')
  if (name === undefined) throw new Disagreement('a function without a name')
  const inner = scope.fork()
  inner.forgetAll()
  inner.stdin = 'other'
  const body = node.children.filter(({ type }) => !/^(word|function|\(|\))$/.test(type))
  // It may call itself, and be called where a variable it reads has been set by another.
  scope.functions.set(scope.source.slice(name.start, name.end), inner.assigned)
  for (const part of body)
    if (/redirect$/.test(part.type)) redirect(part, inner, walk)
    else walk.node(part, inner)
}
