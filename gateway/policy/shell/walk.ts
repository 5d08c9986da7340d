import { caseStatement, forStatement, functionDefinition, ifStatement, list, loop, pipeline } from './blocks.ts'
import { noteCommand } from './commands.ts'
import { arithmetic } from './expand.ts'
import { Found } from './found.ts'
import { MAX_SHELL_BYTES, parseShell, type Syntax } from './parse.ts'
import { Disagreement } from './quoting.ts'
import { redirect, redirected } from './redirects.ts'
import { MAX_NESTED, Scope, type Walk } from './scope.ts'
import { assignment, declaration, simpleCommand, testCommand } from './simple.ts'
import type { Word } from './word.ts'

/** `sudo sudo sudo ...`: commands that run commands, deeper than anybody writes. The walk over them is recursive, and each has all words of the rest. */
const MAX_WITHIN = 40

/** Reads a text as bash would, without running it. Undefined where it cannot be read. */
export function walkText(text: string): Found | undefined {
  const walk = new Walker()
  try {
    walk.script(text, new Scope(text, 0))
  } catch (error) {
    if (error instanceof Disagreement) return undefined
    throw error
  }
  return walk.found.overflowing ? undefined : walk.found
}

class Walker implements Walk {
  found = new Found()
  #within = 0
  /** Of the text and those in it, each of which the grammar reads anew. */
  #size = 0

  script(text: string, scope: Scope): void {
    if (scope.depth > MAX_NESTED) throw new Disagreement('too deep')
    this.#size += text.length
    if (this.#size > 2 * MAX_SHELL_BYTES) throw new Disagreement('texts in texts')
    const root = parseShell(text)
    if (root === undefined) throw new Disagreement('no syntax')
    checkGaps(root, text)
    this.all(root.children, scope)
  }

  substitution(node: Syntax, scope: Scope): void {
    this.all(node.children, scope.fork())
  }

  command(words: readonly Word[], scope: Scope): void {
    if (++this.#within > MAX_WITHIN) throw new Disagreement('commands in commands')
    noteCommand(words, scope, this)
    this.#within--
  }

  all(nodes: readonly Syntax[], scope: Scope): void {
    nodes.forEach((node, index) => {
      if (nodes[index + 1]?.type === '&') {
        this.found.background = true
        const aside = scope.fork()
        aside.stdin = 'other'
        this.node(node, aside)
      } else this.node(node, scope)
    })
  }

  node(node: Syntax, scope: Scope): void {
    if (TOKENS.has(node.type)) return
    const read = STATEMENTS.get(node.type)
    if (read === undefined || !this.found.step()) throw new Disagreement(node.type)
    read(node, scope, this)
  }
}

type Read = (node: Syntax, scope: Scope, walk: Walk) => void

const children: Read = (node, scope, walk) => walk.all(node.children, scope)
const apart: Read = (node, scope, walk) => walk.all(node.children, scope.fork())

const STATEMENTS: ReadonlyMap<string, Read> = new Map<string, Read>(
  Object.entries({
    command: simpleCommand,
    redirected_statement: redirected,
    pipeline,
    list,
    subshell: apart,
    command_substitution: apart,
    negated_command: children,
    do_group: children,
    compound_statement: (node: Syntax, scope: Scope, walk: Walk) =>
      node.children[0]?.type === '((' ? arithmetic(node, scope, walk) : children(node, scope, walk),
    if_statement: ifStatement,
    while_statement: (node: Syntax, scope: Scope, walk: Walk) => loop(scope, walk, (turn) => walk.all(node.children, turn)),
    for_statement: forStatement,
    c_style_for_statement: (node: Syntax, scope: Scope, walk: Walk) =>
      loop(scope, walk, (turn) => {
        for (const child of node.children) {
          if (child.type === 'do_group' || child.type === 'compound_statement') walk.node(child, turn)
          else arithmetic(child, turn, walk)
        }
      }),
    case_statement: caseStatement,
    function_definition: functionDefinition,
    variable_assignment: assignment,
    variable_assignments: children,
    declaration_command: declaration,
    unset_command: declaration,
    test_command: testCommand,
    // $(< file)
    file_redirect: redirect,
    comment: () => undefined,
  }),
)

/** What stands between commands and says nothing more. */
const TOKENS = new Set(
  '\n if then elif else fi for in do done while until case esac select function ; ;; ;& ;;& & && || | |& ! ( ) { } (( )) $( ` <( >('.split(
    ' ',
  ),
)

/** Between whose parts any text may stand. */
const QUOTED = new Set(['string', 'translated_string', 'heredoc_body', 'expansion'])

/** Between what the grammar read only blanks may stand, and a comment begins only where a word could. */
function checkGaps(node: Syntax, text: string): void {
  let at = node.start
  for (const child of node.children) {
    if (!QUOTED.has(node.type) && !/^(?:[ \t\n]|\\\n)*$/.test(text.slice(at, child.start)))
      throw new Disagreement('text between words')
    if (child.type === 'comment' && child.start > 0 && !/[ \t\n;|&()]/.test(text[child.start - 1] ?? ''))
      throw new Disagreement('a comment inside a word')
    if (node.type === 'command' || node.type === 'for_statement') lineEnd(node, text.slice(at, child.start))
    checkGaps(child, text)
    at = child.end
  }
}

/** A line that ends ends the command; only a backslash before it goes on, and then with a blank, else two words are one. */
function lineEnd(node: Syntax, gap: string): void {
  if (node.type === 'command' && /\n/.test(gap.replaceAll('\\\n', ''))) throw new Disagreement('a line end in a command')
  if (gap.includes('\\\n') && !/[ \t]/.test(gap)) throw new Disagreement('a word over two lines')
}
