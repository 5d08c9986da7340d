import { hostsOf } from './hosts.ts'
import { readOptions } from './options.ts'
import { resolvePath } from './paths.ts'
import type { Scope, Walk } from './scope.ts'
import { anyWord, isMany, literalOf, type Piece, prefixOf, type Word } from './word.ts'

/** Programs that run others by rules of their own. Each has its words without its name. */
export const SPECIAL: ReadonlyMap<string, (args: readonly Word[], scope: Scope, walk: Walk, name: string) => void> = new Map(
  Object.entries({ find, git, ssh: remote, autossh: remote, awk, gawk: awk, mawk: awk, nawk: awk, sed, gsed: sed }),
)

/** `find -exec cmd {} ;`: the command, `{}` in it standing for what is found. Names looked for count as its paths. */
function find(args: readonly Word[], scope: Scope, walk: Walk): void {
  const start = args.findIndex((arg) => /^[-(!]/.test(prefixOf(arg)) && !/^-[HLPDO]/.test(prefixOf(arg)))
  const open = args.some((arg, index) => {
    if (prefixOf(arg) !== '' || arg[0]?.kind !== 'any') return false
    const before = index === 0 ? '-path' : (literalOf(args[index - 1]) ?? '')
    const after = args[index + 1]
    return isMany(arg) || !/^-[a-z]/.test(before) || (index === 0 && after !== undefined && !prefixOf(after).startsWith('-'))
  })
  if (open) walk.found.hide('runs:find')
  for (const place of args.slice(0, start === -1 ? args.length : start))
    for (const path of resolvePath(place, scope)) walk.found.path('find', path)
  const found = soughtBy(args)
  if (found.length > 1) walk.found.path('find', found)
  for (let at = Math.max(0, start); at < args.length; at++) {
    if (!/^-(exec|execdir|ok|okdir)$/.test(literalOf(args[at]) ?? '')) continue
    const rest = args.slice(at + 1)
    const end = rest.findIndex(
      (word, index) => literalOf(word) === ';' || (literalOf(word) === '+' && literalOf(rest[index - 1]) === '{}'),
    )
    const words = end === -1 ? rest : rest.slice(0, end)
    // What is found may have any name: as a program it is not known.
    const command = words.map((word, index) =>
      literalOf(word)?.includes('{}') ? (index === 0 ? anyWord('$()', false) : found) : word,
    )
    walk.command(command, scope)
    at += words.length
  }
}

/** Anything below where it starts; by name, where exactly one is asked for. */
function soughtBy(args: readonly Word[]): Word {
  const names = args.flatMap((arg, index) =>
    /^-i?(name|path|wholename)$/.test(literalOf(arg) ?? '') ? [literalOf(args[index + 1])] : [],
  )
  const [name] = names
  const either = args.some((arg) => /^(-o|-or|!|-not|,)$/.test(literalOf(arg) ?? ''))
  const any: Piece = { kind: 'any', source: '$()', many: false }
  if (names.length !== 1 || name === undefined || either) return [any]
  const parts = name.split(/([*?])/).filter((part) => part !== '')
  return [
    any,
    ...parts.map(
      (part): Piece => (part === '*' ? any : part === '?' ? { kind: 'glob', text: '?' } : { kind: 'text', text: part }),
    ),
  ]
}

/** Subcommands of git that run what their words or the repository's settings say, with the words that make them. */
const GIT_RUNS: Readonly<Record<string, RegExp>> = {
  bisect: /^run$/,
  submodule: /^foreach$/,
  'filter-branch': /./,
  difftool: /./,
  mergetool: /./,
  rebase: /^(-x|--exec)/,
  clone: /^(-u|--upload-pack|-c|--config|--template)/,
  fetch: /^--upload-pack/,
  pull: /^--upload-pack/,
  'ls-remote': /^--upload-pack/,
  push: /^(--receive-pack|--exec)/,
  archive: /^--exec/,
  grep: /^(-O|--open-files-in-pager)/,
  config: /^(?!(-l|--list|--get|--get-all|--get-regexp|list|get|--show-origin)$)/,
  'upload-pack': /./,
  'receive-pack': /./,
  shell: /./,
}

function git(args: readonly Word[], _: Scope, walk: Walk): void {
  const read = readOptions(args, {
    flags:
      'p P version help paginate no-pager no-replace-objects bare literal-pathspecs no-optional-locks html-path man-path info-path',
    values: 'C git-dir work-tree namespace',
  })
  const [command, ...rest] = read?.operands ?? []
  const name = literalOf(command)
  if (read === undefined || (command !== undefined && name === undefined)) {
    walk.found.hide('runs:git')
    return
  }
  const runs = GIT_RUNS[name ?? '']
  const foreign = rest.some((word) => /^(ext|fd)::/.test(prefixOf(word)))
  const asked = name === 'config' ? rest.slice(0, 1) : rest
  if (
    foreign ||
    (runs !== undefined && asked.some((word) => runs.test(literalOf(word) ?? prefixOf(word)) || literalOf(word) === undefined))
  )
    walk.found.hide(`runs:git ${name ?? ''}`)
}

/** `ssh host command`: the words are joined, and read by a shell over there. */
function remote(args: readonly Word[], scope: Scope, walk: Walk, name: string): void {
  const read = readOptions(args, {
    flags: '4 6 A a C f G g K k M N n q s T t V v X x Y y',
    values: 'B b c D E e F I i J L l m O o P p Q R S W w',
  })
  if (read === undefined) {
    walk.found.hide(`runs:${name}`)
    return
  }
  for (const [option, value] of read.options) {
    const text = literalOf(value)
    if (
      /^[FIS]$/.test(option) ||
      (option === 'o' && (text === undefined || /command|include|exec|provider|askpass|xauth|match/i.test(text)))
    )
      walk.found.hide(`runs:${name} -${option}`)
  }
  const [host, ...words] = read.operands
  if (host !== undefined) for (const name of hostsOf('ssh', [host])) walk.found.host('ssh', name)
  for (const [option, value] of read.options)
    if (value !== undefined && /^[iEJ]$/.test(option)) for (const path of resolvePath(value, scope)) walk.found.path('ssh', path)
  if (read.operands.length === 0 || read.options.some(([option]) => /^[NVQGWO]$/.test(option))) return
  const texts = words.map(literalOf)
  if (words.length === 0) {
    if (scope.stdin !== 'other' || !read.options.some(([option]) => option === 'n')) walk.found.hide(`stdin:${name}`)
  } else if (texts.every((text) => text !== undefined)) {
    const text = texts.join(' ')
    const inner = scope.inside(text, false)
    inner.cwds = [[{ kind: 'home' }]]
    inner.stdin = scope.stdin
    walk.script(text, inner)
  } else walk.found.hide(`command:${name}`)
}

/** An awk program that only computes and prints: no command, no file, nothing loaded. */
function awk(args: readonly Word[], _: Scope, walk: Walk, name: string): void {
  const read = readOptions(args, {
    flags: 'b c C g h n N O P r s S t V posix traditional sandbox',
    values: 'F v field-separator assign',
  })
  const program = literalOf(read?.operands[0])
  if (program === undefined || /system|getline|[|@]|close|>|fflush/.test(program.replaceAll('||', '')))
    walk.found.hide(`code:${name}`)
}

const SED_ADDRESS = '(?:[0-9]+|\\$|/(?:[^/\\\\\\n]|\\\\.)*/)'
const SED_COMMAND = new RegExp(
  `^(?:${SED_ADDRESS}(?:,(?:${SED_ADDRESS}|\\+[0-9]+))?)?!?(?:[pdDqQ=lnNgGhHxP]|s/(?:[^/\\\\\\n]|\\\\.)*/(?:[^/\\\\\\n]|\\\\.)*/[gpiI0-9]*|s([|,#:@%])(?:(?!\\1)[^\\\\\\n]|\\\\.)*\\1(?:(?!\\1)[^\\\\\\n]|\\\\.)*\\1[gpiI0-9]*|y/[^/\\\\\\n]*/[^/\\\\\\n]*/)$`,
)

/** A sed script of commands that only edit: no `e`, no `w`, no `r`, nothing unusual. */
function sed(args: readonly Word[], _: Scope, walk: Walk, name: string): void {
  const read = readOptions(args, {
    flags: 'n E r s u z quiet silent regexp-extended separate unbuffered null-data posix sandbox debug',
    values: 'e l expression line-length',
    attached: 'i in-place',
  })
  const given = (read?.options ?? []).flatMap(([option, value]) => (option === 'e' || option === 'expression' ? [value] : []))
  const scripts = given.length > 0 ? given : (read?.operands.slice(0, 1) ?? [])
  const plain = scripts.every(
    (script) =>
      literalOf(script)
        ?.split(';')
        .every((command) => SED_COMMAND.test(command.trim())) === true,
  )
  if (read === undefined || !plain) walk.found.hide(`code:${name}`)
}

/** Whether an interpreter is asked for more than its version. */
export function runsCode(args: readonly Word[]): boolean {
  return args.length !== 1 || !/^(--version|-V|-version|version|--help|-h)$/.test(literalOf(args[0]) ?? '')
}
