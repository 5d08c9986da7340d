import { assign, expandHeredoc, expandValue, expandWord } from './expand.ts'
import { normaliseHost } from './hosts.ts'
import type { Syntax } from './parse.ts'
import { resolvePath } from './paths.ts'
import { notePipe } from './pipes.ts'
import { Disagreement } from './quoting.ts'
import { type Scope, type Walk, WORDS } from './scope.ts'
import { literalOf, prefixOf } from './word.ts'

export function redirected(node: Syntax, scope: Scope, walk: Walk): void {
  const inner = scope.fork()
  for (const child of node.children) if (/redirect$/.test(child.type)) redirect(child, inner, walk)
  const { stdin } = scope
  scope.stdin = inner.stdin
  for (const child of node.children) if (!/redirect$/.test(child.type)) walk.node(child, scope)
  scope.stdin = stdin
  // What stands on the line after a here-document's mark belongs to this command: `cat <<E | sh`.
  for (const child of node.children) if (child.type === 'heredoc_redirect') afterHeredoc(node, child, scope, walk)
}

function afterHeredoc(node: Syntax, redirect: Syntax, scope: Scope, walk: Walk): void {
  const rest = redirect.children.filter(({ type }) => !/^heredoc|^<<|redirect$|^file_descriptor$/.test(type))
  if (rest.length === 0) return
  const inner = scope.fork()
  const piped = rest[0]?.type === 'pipeline'
  if (piped) inner.stdin = 'other'
  for (const part of rest) {
    if (WORDS.has(part.type)) throw new Disagreement('words after a here-document')
    walk.node(part, inner)
  }
  if (piped) notePipe([node.children[0], ...(rest[0]?.children ?? [])], scope, walk)
  scope.become([scope.fork(), inner])
}

export function redirect(node: Syntax, scope: Scope, walk: Walk): void {
  if (node.type === 'heredoc_redirect') {
    heredoc(node, scope, walk)
    return
  }
  if (node.type === 'herestring_redirect') {
    const value = expandValue(
      node.children.filter(({ type }) => !/^(<<<|file_descriptor)$/.test(type)),
      scope,
      walk,
    )
    const text = typeof value === 'object' ? literalOf(value.word) : undefined
    scope.stdin = text === undefined ? 'other' : { text }
    return
  }
  const parts = node.children.filter(({ type }) => type !== 'file_descriptor')
  const [operator, ...targets] = parts
  const sign = operator?.type ?? ''
  const descriptor = node.children.find(({ type }) => type === 'file_descriptor')
  const into = descriptor === undefined ? undefined : scope.source.slice(descriptor.start, descriptor.end)
  if (targets.length === 0) return
  if (targets.some((target, index) => index > 0 && target.start !== targets[index - 1]?.end))
    throw new Disagreement('words after a redirection')
  const word = expandWord(targets, scope, walk)
  if (/&$/.test(sign) && /^(-|[0-9]+-?)$/.test(literalOf(word) ?? '')) {
    if (sign === '<&') scope.stdin = 'other'
    return
  }
  const reads = sign.startsWith('<')
  if (reads && (into === undefined || into === '0')) scope.stdin = literalOf(word) === '/dev/null' ? { text: '' } : 'other'
  if (into !== undefined && /\{/.test(into)) assign(into.replace(/[{}]/g, ''), 'number', scope, walk)
  if (word.some(({ kind }) => kind === 'any')) walk.found.dynamicArguments = true
  const shown = reads ? (sign === '<>' ? '<>' : '<') : /^(>>|&>>)$/.test(sign) ? '>>' : '>'
  const socket = /^\/dev\/(tcp|udp)\/([^/]+)/.exec(prefixOf(word))
  if (socket !== null || /^\/dev\/(tcp|udp)\//.test(prefixOf(word))) walk.found.host(shown, normaliseHost(socket?.[2] ?? '*'))
  for (const path of resolvePath(word, scope)) walk.found.redirect(shown, path)
}

function heredoc(node: Syntax, scope: Scope, walk: Walk): void {
  const start = node.children.find(({ type }) => type === 'heredoc_start')
  const body = node.children.find(({ type }) => type === 'heredoc_body')
  for (const child of node.children) if (/redirect$/.test(child.type)) redirect(child, scope, walk)
  if (start === undefined) throw new Disagreement('a here-document without its mark')
  if (body === undefined) {
    scope.stdin = { text: '' }
    return
  }
  const raw = scope.source.slice(body.start, body.end)
  checkHeredocEnd(node, start, body, scope)
  const quoted = /['"\\]/.test(scope.source.slice(start.start, start.end))
  const text = quoted ? raw : expandHeredoc(body, scope, walk)
  const stripped = node.children.some(({ type }) => type === '<<-') ? text?.replace(/^\t+/gm, '') : text
  scope.stdin = stripped === undefined ? 'other' : { text: stripped }
}

/** Bash ends it at the first line that is its mark and nothing else. */
function checkHeredocEnd(node: Syntax, start: Syntax, body: Syntax, scope: Scope): void {
  const mark = scope.source.slice(start.start, start.end)
  const plain = mark.replace(/\\(.)|['"]/gs, '$1')
  const quoted = plain !== mark
  if (/[$`]/.test(mark)) throw new Disagreement('an expansion in a mark')
  const raw = scope.source.slice(body.start, body.end)
  const rest = scope.source.slice(body.end)
  const end = node.children.find(({ type }) => type === 'heredoc_end')
  const tabs = node.children.some(({ type }) => type === '<<-')
  const is = (line: string): boolean => (tabs ? line.replace(/^\t+/, '') : line) === plain
  const lines = raw.split('\n')
  const last = lines.pop() ?? ''
  const after = /^[^\n]*/.exec(rest)?.[0] ?? ''
  if (end === undefined || lines.some(is) || !is(last + after) || (!quoted && raw.includes('\\\n')))
    throw new Disagreement('the end of a here-document')
}
