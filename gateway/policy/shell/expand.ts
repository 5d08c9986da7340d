import { expandBraces } from './braces.ts'
import type { Syntax } from './parse.ts'
import { BRACKETS, Disagreement, type RawPiece, readAnsiC, readBare, readQuoted } from './quoting.ts'
import { type Scope, type Value, valueWord, type Walk } from './scope.ts'
import { anyWord, isKnown, join, literalOf, type Piece, type Word } from './word.ts'

/** Variables that are always numbers, whatever their place. */
const NUMBERS = new Set([
  'RANDOM',
  'SECONDS',
  'LINENO',
  'PPID',
  'UID',
  'EUID',
  'BASHPID',
  'SRANDOM',
  'OPTIND',
  '#',
  '?',
  '$',
  '!',
])

/** The words an argument becomes: braces, tilde, variables, splitting. Patterns stay patterns. */
export function expandWords(nodes: readonly Syntax[], scope: Scope, walk: Walk): Word[] {
  const raw = pieces(nodes, scope, walk, false)
  const words = expandBraces(raw)
  // What braces put at the beginning of a word may be a tilde.
  return words.flatMap((word) => split(words.length > 1 ? bracedTilde(word) : word))
}

/** The one word of a redirection or an assignment: no braces, no splitting. */
export function expandWord(nodes: readonly Syntax[], scope: Scope, walk: Walk): Word {
  const all = pieces(nodes, scope, walk, true).map(plain)
  const untold = all.indexOf(plain(BRACKETS))
  return join(untold === -1 ? all : all.slice(0, untold + 1))
}

/** The text of an assigned value, where it is known: patterns are not expanded in it. */
export function expandValue(nodes: readonly Syntax[], scope: Scope, walk: Walk): Value {
  const word = expandWord(nodes, scope, walk).map(
    (piece): Piece => (piece.kind === 'glob' ? { kind: 'text', text: piece.text } : piece),
  )
  if (isKnown(word)) return { word: join(word) }
  return nodes.length === 1 && nodes[0]?.type === 'arithmetic_expansion' ? 'number' : 'unknown'
}

/** The text of a here-document, its expansions walked; undefined where any of it is not known. */
export function expandHeredoc(node: Syntax, scope: Scope, walk: Walk): string | undefined {
  return literalOf(join(quotedPieces(node, node.start, node.end, scope, walk, true)))
}

function plain(piece: RawPiece): Piece {
  return piece.kind === 'brace' || piece.kind === 'split' ? { kind: 'text', text: piece.text } : piece
}

/** What came out of unquoted expansions is split at blanks (once IFS is set nothing is sure), and its `*` and `?` are patterns. */
function split(raw: readonly RawPiece[]): Word[] {
  const words: Piece[][] = []
  let word: Piece[] | undefined
  const add = (piece: Piece): void => {
    // What follows may be inside of the brackets.
    if (word?.at(-1) === BRACKETS) return
    if (word === undefined) {
      word = []
      words.push(word)
    }
    word.push(piece)
  }
  for (const piece of raw) {
    if (piece.kind !== 'split') {
      add(plain(piece))
      continue
    }
    for (const part of piece.text.split(/([ \t\n]+|[*?[\\])/)) {
      if (part === '') continue
      if (/^[ \t\n]/.test(part)) word = undefined
      else if (part === '*' || part === '?') add({ kind: 'glob', text: part })
      else if (part === '[') add(plain(BRACKETS))
      else if (part === '\\') add({ kind: 'any', source: '$()', many: false })
      else add({ kind: 'text', text: part })
    }
  }
  return words.map(join)
}

function bracedTilde(word: readonly RawPiece[]): RawPiece[] {
  const [first, ...rest] = word
  return first?.kind === 'text' && first.text.startsWith('~') ? [...tilde(first.text, rest.length === 0), ...rest] : [...word]
}

/** A tilde at the beginning of a word, followed by nothing or a slash, is the home directory; followed by a name it is somebody's. */
function tilde(raw: string, alone: boolean): RawPiece[] {
  const name = /^~([A-Za-z0-9_.+-]*)/.exec(raw)?.[0] ?? ''
  const rest = raw.slice(name.length)
  if (name === '' || (rest === '' ? !alone : !rest.startsWith('/'))) return readBare(raw)
  return [name === '~' ? { kind: 'home' } : { kind: 'any', source: '$HOME', many: false }, ...readBare(rest)]
}

function pieces(nodes: readonly Syntax[], scope: Scope, walk: Walk, whole: boolean): RawPiece[] {
  adjacent(nodes, scope)
  const parts = runs(nodes)
  return parts.flatMap((node, index): readonly RawPiece[] => {
    const raw = scope.source.slice(node.start, node.end)
    if (index === 0 && node.type === 'word' && raw.startsWith('~')) {
      return walk.found.homeChanged
        ? [{ kind: 'any', source: '$HOME', many: false }, ...readBare(raw.slice(1))]
        : tilde(raw, parts.length === 1)
    }
    // $"..." is read as a dollar, at the end of what is before it, and a string.
    if (BARE.has(node.type) && scope.source[node.end] === '"' && OPEN_DOLLAR.test(raw)) return readBare(raw.slice(0, -1))
    return nodePieces(node, scope, walk, whole)
  })
}

/** Unquoted text comes in several tokens (`a[b]`), which mean something together. */
function runs(nodes: readonly Syntax[]): Syntax[] {
  const parts: Syntax[] = []
  for (const node of nodes) {
    const last = parts.at(-1)
    if (last !== undefined && BARE.has(last.type) && BARE.has(node.type))
      parts[parts.length - 1] = { ...last, type: 'word', end: node.end }
    else parts.push(node)
  }
  return parts
}

/** A dollar that no backslash makes an ordinary character. */
const OPEN_DOLLAR = /(?:^|[^\\])(?:\\\\)*\$$/
const BARE = new Set(['word', 'number', 'variable_name', 'test_operator', 'extglob_pattern', 'regex', '$'])

function nodePieces(node: Syntax, scope: Scope, walk: Walk, whole: boolean): readonly RawPiece[] {
  const raw = scope.source.slice(node.start, node.end)
  if (BARE.has(node.type)) return readBare(raw)
  switch (node.type) {
    case 'raw_string':
      return [{ kind: 'text', text: raw.slice(1, -1) }, MARK]
    case 'ansi_c_string':
    case 'ansii_c_string':
      return [{ kind: 'text', text: readAnsiC(raw.slice(2, -1)) }, MARK]
    case 'string':
      return [MARK, ...quotedPieces(node, node.start + 1, node.end - 1, scope, walk, false)]
    case 'translated_string':
      return [MARK, ...quotedPieces(node, node.start + 2, node.end - 1, scope, walk, false)]
    case 'concatenation':
      return pieces(node.children, scope, walk, whole)
    case 'simple_expansion':
    case 'expansion':
    case 'command_substitution':
    case 'process_substitution':
    case 'arithmetic_expansion':
      return expansion(node, scope, walk, !whole).map((piece) =>
        piece.kind === 'text' && !whole ? { kind: 'split', text: piece.text } : piece,
      )
    case 'brace_expression':
      return [...anyWord('$()', true)]
    default:
      throw new Disagreement(node.type)
  }
}

/** An empty text that quotes leave: the word is there even if nothing is in it. */
const MARK: Piece = { kind: 'text', text: '' }

/** Between the parts of one word nothing may stand. */
function adjacent(nodes: readonly Syntax[], scope: Scope): void {
  for (let at = 1; at < nodes.length; at++) {
    const gap = scope.source.slice(nodes[at - 1]?.end, nodes[at]?.start)
    if (gap !== '' && gap !== '\\\n') throw new Disagreement('a gap in a word')
  }
}

function quotedPieces(node: Syntax, from: number, to: number, scope: Scope, walk: Walk, heredoc: boolean): Piece[] {
  const found: Piece[] = []
  let at = from
  for (const child of node.children) {
    if (!EXPANSIONS.has(child.type)) continue
    found.push(
      { kind: 'text', text: readQuoted(scope.source.slice(at, child.start), heredoc) },
      ...expansion(child, scope, walk, false),
    )
    at = child.end
  }
  found.push({ kind: 'text', text: readQuoted(scope.source.slice(at, to), heredoc) })
  return found
}

const EXPANSIONS = new Set(['simple_expansion', 'expansion', 'command_substitution', 'arithmetic_expansion'])

function expansion(node: Syntax, scope: Scope, walk: Walk, many: boolean): Word {
  const raw = scope.source.slice(node.start, node.end)
  switch (node.type) {
    case 'command_substitution':
      // Inside backquotes a backslash quotes once more before anything is read.
      if (raw.startsWith('`') && raw.includes('\\')) throw new Disagreement('a backslash in backquotes')
      walk.substitution(node, scope)
      return anyWord('$()', many)
    case 'process_substitution':
      walk.substitution(node, scope)
      return anyWord('$()', false)
    case 'arithmetic_expansion':
      arithmetic(node, scope, walk)
      return anyWord('$()', false)
    case 'simple_expansion':
      return variable(raw.slice(1), scope, walk, many)
    default:
      return braced(node, raw, scope, walk, many)
  }
}

function variable(name: string, scope: Scope, walk: Walk, many: boolean): Word {
  const value: Value = scope.vars.get(name) ?? (NUMBERS.has(name) ? 'number' : 'unknown')
  if (name === 'HOME' && !walk.found.homeChanged) return [{ kind: 'home' }]
  // "$@" is as many words as there are.
  return name === '@' ? anyWord('$@', true) : valueWord(name, value, many)
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** `${...}`. Whatever is more than a name has a value nobody foresees; some forms run code that a value holds. */
function braced(node: Syntax, raw: string, scope: Scope, walk: Walk, many: boolean): Word {
  const inside = raw.slice(2, -1)
  if (NAME.test(inside) || /^([0-9]+|[@*#?$!-])$/.test(inside)) return variable(inside, scope, walk, many)
  const name = /^#?([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(inside)
  if (name === null) {
    // ${!name} reads a name from a value, and a name may hold a subscript with a command in it.
    walk.found.hide('expansion:indirect')
    return anyWord('$()', many)
  }
  const rest = inside.slice(name[0].length)
  if (rest.startsWith('@')) walk.found.hide('expansion:transform')
  else if (rest.startsWith('[') && !/^\[([0-9]+|[@*])\]/.test(rest)) walk.found.hide('expansion:subscript')
  else if (/^(\[[^\]]*\])?:[^-=?+]/.test(rest) && !/^(\[[^\]]*\])?:[ 0-9-]+(:[ 0-9-]+)?$/.test(rest))
    walk.found.hide('expansion:offset')
  if (/^(\[[^\]]*\])?:?=/.test(rest)) assign(name[1] ?? '', 'unknown', scope, walk)
  inner(node, scope, walk)
  if (inside.startsWith('#')) return anyWord('$()', false)
  // "${a[@]}" is as many words as there are.
  return anyWord('$()', many || /^(\[@\]|@)/.test(rest) || name[1] === '@')
}

/** Whatever runs inside an expansion: the walk goes down to it. */
function inner(node: Syntax, scope: Scope, walk: Walk): void {
  for (const child of node.children) {
    if (EXPANSIONS.has(child.type) || child.type === 'process_substitution') expansion(child, scope, walk, false)
    else inner(child, scope, walk)
  }
}

/**
 * Arithmetic reads the value of a name as arithmetic again, and a subscript in there may hold a command. So every name must be
 * known to be a number; those it sets are numbers afterwards.
 */
export function arithmetic(node: Syntax, scope: Scope, walk: Walk): void {
  for (const child of node.children) {
    if (child.type === 'command_substitution' || child.type === 'process_substitution') {
      expansion(child, scope, walk, false)
      walk.found.hide('arithmetic')
    } else if (
      child.type === 'variable_name' ||
      child.type === 'word' ||
      child.type === 'simple_expansion' ||
      child.type === 'expansion'
    ) {
      const name = scope.source.slice(child.start, child.end).replace(/^\$\{?|\}$/g, '')
      const value = scope.vars.get(name) ?? (NUMBERS.has(name) ? 'number' : 'unknown')
      const numeric = value === 'number' || (typeof value === 'object' && /^-?[0-9]*$/.test(literalOf(value.word) ?? '$'))
      if (!numeric && !/^[0-9]+$/.test(name)) walk.found.hide('arithmetic')
    } else if (
      child.type === 'string' ||
      child.type === 'concatenation' ||
      child.type === 'subscript' ||
      child.type === 'raw_string'
    ) {
      inner(child, scope, walk)
      walk.found.hide('arithmetic')
    } else arithmetic(child, scope, walk)
  }
  for (const [, name] of scope.source
    .slice(node.start, node.end)
    .matchAll(/(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]*) *(?:[-+*/%&|^]|<<|>>)?=(?!=)/g)) {
    assign(name ?? '', 'number', scope, walk)
  }
}

/** Variables that change what a command is, or make programs run others. */
const TELLING =
  /^(PATH|IFS|ENV|BASH_ENV|BASH_.*|SHELLOPTS|BASHOPTS|POSIXLY_CORRECT|GLOBIGNORE|CDPATH|PROMPT_COMMAND|PS[0-4]|SHELL|LD_.*|DYLD_.*|PAGER|.*_PAGER|MANPAGER|EDITOR|.*_EDITOR|VISUAL|BROWSER|LESS|LESSOPEN|LESSCLOSE|GIT_.*|SUDO_.*|.*_ASKPASS|RSYNC_.*|CVS_RSH|TAR_OPTIONS|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|KUBECONFIG|AWS_.*|AZURE_CONFIG_DIR|GCONV_PATH|LOCPATH|HOSTALIASES|TERMINFO.*|OPENSSL_.*|CURL_HOME|WGETRC|.*_PROXY|.*_proxy|HISTFILE)$/

/** Gives a variable a value, noting those after which a text no longer means what it says. */
export function assign(name: string, value: Value, scope: Scope, walk: Walk): void {
  tellVariable(name, walk)
  scope.set(name, value)
}

/** A variable is given to a program, or set. */
export function tellVariable(name: string, walk: Walk): void {
  if (TELLING.test(name)) walk.found.hide(`variable:${name}`)
  if (name === 'HOME') walk.found.homeChanged = true
}
