import { BUILTINS } from './builtins.ts'
import { tellVariable } from './expand.ts'
import { hostsOf, isFarEnd, NETWORK_PROGRAMS } from './hosts.ts'
import { readOptions } from './options.ts'
import { pathsOf, takesText } from './paths.ts'
import type { Scope, Walk } from './scope.ts'
import { runsCode, SPECIAL } from './special.ts'
import { anyWord, isMany, literalOf, prefixOf, showWord, textWord, type Word } from './word.ts'
import { INTERPRETERS, LAUNCHING, SHELLS, WRAPPERS, type Wrapper } from './wrappers.ts'

/** Where the system keeps its programs: a name there is that program. One anywhere else may be anything. */
const SYSTEM_PLACE = /^\/(?:usr\/(?:local\/)?)?s?bin\/([^/]+)$/

/** What takes texts of commands for words, and notes what is in them by itself. */
const TEXT_TAKERS = new Set(['ssh', 'autossh', 'eval', 'trap', 'find'])

/** Notes one command, and what it runs in turn. */
export function noteCommand(words: readonly Word[], scope: Scope, walk: Walk): void {
  const { found } = walk
  const [first, ...args] = words
  if (first === undefined || !found.step()) return
  const written = literalOf(first)
  if (written === '') return
  const name = written === undefined ? showWord(first) : (SYSTEM_PLACE.exec(written)?.[1] ?? written)
  found.command(name, [written === undefined ? first : textWord(name), ...args])
  noteWords(name, args, scope, walk)
  if (written === undefined)
    found.hide(`${first.every(({ kind }) => kind === 'text' || kind === 'home') ? 'file' : 'command'}:${name}`)
  else if (name.includes('/')) found.hide(`file:${name}`)
  else run(name, args, scope, walk)
}

/** Its paths and hosts, and whether any of its words is not known. */
function noteWords(name: string, args: readonly Word[], scope: Scope, walk: Walk): void {
  const { found } = walk
  // What runs others has their words among its own: they are noted with those who use them.
  if (!WRAPPERS.has(name) && !SHELLS.has(name) && !TEXT_TAKERS.has(name)) {
    for (const path of pathsOf(name, args, scope)) found.path(name, path)
    for (const host of hostsOf(name, args)) found.host(name, host)
  }
  if (NETWORK_PROGRAMS.has(name) && !isFarEnd(name, args)) found.network = true
  if (
    !takesText(name) &&
    !/^(test|\[|exit|return|shift|break|continue|read|unset|local|export|declare)$/.test(name) &&
    args.some((arg) => arg.some(({ kind }) => kind === 'any'))
  ) {
    found.dynamicArguments = true
  }
}

function run(name: string, args: readonly Word[], scope: Scope, walk: Walk): void {
  const sets = scope.functions.get(name)
  if (sets !== undefined) {
    scope.forget(sets)
    scope.cwds = []
  }
  BUILTINS.get(name)?.(args, scope, walk)
  if (SHELLS.has(name)) shell(name, args, scope, walk)
  const wrapper = WRAPPERS.get(name)
  if (wrapper !== undefined) wrapped(name, wrapper, args, scope, walk)
  SPECIAL.get(name)?.(args, scope, walk, name)
  if (isInterpreter(name) && runsCode(args)) walk.found.hide(`code:${name}`)
  const launching = LAUNCHING.get(name)
  // tar takes its first letters without a dash as well.
  const words = args.map((arg, index) =>
    name === 'tar' && index === 0 ? prefixOf(arg).replace(/^(?=[A-Za-z])/, '-') : prefixOf(arg),
  )
  if (launching !== undefined && (args.some(isMany) || launching.some((option) => words.some((word) => launches(word, option)))))
    walk.found.hide(`runs:${name}`)
}

function isInterpreter(name: string): boolean {
  return [...INTERPRETERS].some((one) => name.startsWith(one) && /^([-.]?[0-9][0-9.]*)?$/.test(name.slice(one.length)))
}

/** `--rsh` also as `--rsh=x`, and shortened as getopt lets; `-e` also in a cluster. */
function launches(word: string, option: string): boolean {
  if (option.startsWith('--'))
    return word.startsWith('--') && word.length > 3 && (word.startsWith(option) || option.startsWith(word.replace(/=.*$/s, '')))
  if (option.length === 2 && option.startsWith('-')) return /^-[A-Za-z]/.test(word) && word.includes(option.slice(1))
  return option === '' || word.startsWith(option) || word.includes(`,${option}`)
}

/** `bash -c text`, `sh file`, or a shell that reads its input. */
function shell(name: string, args: readonly Word[], scope: Scope, walk: Walk): void {
  const { found } = walk
  const read = readOptions(args, {
    flags: 'c i l s e u x v n f h m p r a b k t B C D E H P T login posix noprofile norc noediting verbose restricted',
    values: 'o O +O +o',
  })
  if (read === undefined) {
    found.hide(`runs:${name}`)
    return
  }
  const [first] = read.operands
  const text = literalOf(first)
  if (read.options.some(([option]) => option === 'c')) {
    if (text === undefined) {
      found.hide(first === undefined ? `runs:${name}` : `command:${name}`)
      return
    }
    const inner = scope.inside(text, false)
    inner.stdin = scope.stdin
    walk.script(text, inner)
    return
  }
  if (read.options.some(([option]) => option === 's') || first === undefined) {
    shellInput(name, scope, walk)
    return
  }
  if (prefixOf(first).startsWith('+')) {
    found.hide(`runs:${name}`)
    return
  }
  found.hide(`file:${showWord(first)}`)
}

function shellInput(name: string, scope: Scope, walk: Walk): void {
  if (typeof scope.stdin !== 'object') {
    walk.found.hide(`stdin:${name}`)
    return
  }
  const inner = scope.inside(scope.stdin.text, false)
  inner.stdin = 'other'
  walk.script(scope.stdin.text, inner)
}

function wrapped(name: string, wrapper: Wrapper, args: readonly Word[], scope: Scope, walk: Walk): void {
  const { found } = walk
  const hide = (): void => found.hide(`runs:${name}`)
  if (wrapper.elevates) found.elevates = true
  let words = args
  if (wrapper.subcommands !== undefined) {
    const before = readOptions(words, wrapper)
    const subcommand = literalOf(before?.operands[0])
    if (before === undefined || (before.operands.length > 0 && subcommand === undefined)) {
      // Options before a harmless subcommand need not all be known: one that runs something must be there as a word.
      if (words.some((word) => literalOf(word) === undefined || wrapper.subcommands?.split(' ').includes(literalOf(word) ?? '')))
        hide()
      return
    }
    if (subcommand === undefined || !wrapper.subcommands.split(' ').includes(subcommand)) return
    words = before.operands.slice(1)
  }
  if (name === 'command' && /^-[pvV]*[vV]/.test(prefixOf(words[0] ?? []))) return
  if (name === 'env' && words.some((word) => /^(-[iv0]*S|--split-string)/.test(prefixOf(word)))) {
    splitString(words, scope, walk)
    return
  }
  const dashes = wrapper.dashes ? words.findIndex((word) => literalOf(word) === '--') : -1
  if (wrapper.script !== undefined) {
    const given = scriptOf(wrapper, words)
    if (given === undefined) {
      hide()
      return
    }
    if (given.script !== 'none') {
      if (given.script === 'unknown') found.hide(`command:${name}`)
      else nested(given.script, scope, walk)
      return
    }
  }
  const read = dashes >= 0 ? { operands: words.slice(dashes + 1), options: [] } : readOptions(words, wrapper)
  if (read === undefined) {
    hide()
    return
  }
  if (name === 'docker' || name === 'podman') read.options.some(([option]) => option === 'entrypoint') && hide()
  let rest = read.operands
  if (wrapper.assignments) {
    const end = rest.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(prefixOf(word)))
    for (const word of end === -1 ? rest : rest.slice(0, end)) tellVariable(prefixOf(word).split('=')[0] ?? '', walk)
    rest = end === -1 ? [] : rest.slice(end)
  }
  const skipped = dashes >= 0 ? 0 : (wrapper.operands ?? 0)
  if (rest.slice(0, skipped + 1).some(isMany)) {
    hide()
    return
  }
  rest = rest.slice(skipped)
  inner(name, wrapper, rest, read.options, scope, walk)
}

function inner(
  name: string,
  wrapper: Wrapper,
  rest: readonly Word[],
  options: readonly (readonly [string, Word | undefined])[],
  scope: Scope,
  walk: Walk,
): void {
  const place = wrapper.elsewhere ? scope.fork() : scope
  if (wrapper.elsewhere) place.cwds = []
  if (rest.length === 0) {
    // Without a command xargs calls echo.
    if (wrapper.appends) walk.command([textWord('echo'), anyWord('$()', true)], place)
    if (wrapper.shell) shellInput(name, place, walk)
    return
  }
  if (wrapper.joined) {
    const texts = rest.map(literalOf)
    if (texts.every((text) => text !== undefined)) nested(texts.join(' '), place, walk)
    else walk.found.hide(`command:${name}`)
    return
  }
  if (!wrapper.appends) {
    walk.command(rest, place)
    return
  }
  const mark = options.flatMap(([option, value]) => (/^(I|i|replace)$/.test(option) ? [literalOf(value) ?? '{}'] : []))[0]
  const other = place.fork()
  other.stdin = 'other'
  if (mark === undefined || mark === '') walk.command([...rest, anyWord('$()', true)], other)
  else
    walk.command(
      rest.map((word) => (showWord(word).includes(mark) ? anyWord('$()', false) : word)),
      other,
    )
}

function nested(text: string, scope: Scope, walk: Walk): void {
  const inside = scope.inside(text, false)
  inside.stdin = scope.stdin
  walk.script(text, inside)
}

/** The text given with `-c`, whose place among the words is free. */
function scriptOf(wrapper: Wrapper, words: readonly Word[]): { readonly script: string } | undefined {
  const spec = { flags: wrapper.flags ?? '', values: `${wrapper.values ?? ''} ${wrapper.script ?? ''}` }
  let rest: readonly Word[] = words
  while (rest.length > 0) {
    const read = readOptions(rest, spec)
    if (read === undefined) return undefined
    const given = read.options.find(([option]) => wrapper.script?.split(' ').includes(option))
    if (given !== undefined) return { script: literalOf(given[1]) ?? 'unknown' }
    rest = read.operands.slice(1)
  }
  return { script: 'none' }
}

/** `env -S 'cmd words'`: split at blanks; what has quotes or escapes of its own is not read. */
function splitString(words: readonly Word[], scope: Scope, walk: Walk): void {
  const at = words.findIndex((word) => /^(-[iv0]*S|--split-string)/.test(prefixOf(word)))
  const text = literalOf(words[at])?.replace(/^(-[iv0]*S|--split-string=?)/, '')
  const rest = words.slice(at + 1)
  const value = text === '' ? literalOf(rest.shift()) : text
  if (value === undefined || /["'\\$#]/.test(value)) {
    walk.found.hide('runs:env')
    return
  }
  walk.command([textWord('env'), ...words.slice(0, at), ...value.trim().split(/\s+/).map(textWord), ...rest], scope)
}
