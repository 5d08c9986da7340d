import type { Syntax } from './parse.ts'
import type { Scope, Walk } from './scope.ts'

/** Notes which programs a pipeline joins. */
export function notePipe(parts: readonly (Syntax | undefined)[], scope: Scope, walk: Walk): void {
  const names = parts.flatMap((part) => (part === undefined || part.type.startsWith('|') ? [] : [nameOf(part, scope)]))
  if (names.length > 1) walk.found.pipe(names)
}

/** What a part of a pipeline is called: its program as written, or its kind. */
function nameOf(node: Syntax, scope: Scope): string {
  const command = node.type === 'redirected_statement' ? (node.children[0] ?? node) : node
  const name = command.type === 'command' ? command.children.find(({ type }) => type === 'command_name') : undefined
  return name === undefined ? command.type : scope.source.slice(name.start, name.end).slice(0, 60)
}
