import { assign } from './expand.ts'
import { resolvePath } from './paths.ts'
import type { Scope, Walk } from './scope.ts'
import { literalOf, prefixOf, showWord, textWord, type Word } from './word.ts'

/** Builtins that change what follows, or run what they are given. Each has its words without its name. */
export const BUILTINS: ReadonlyMap<string, (args: readonly Word[], scope: Scope, walk: Walk) => void> = new Map(
  Object.entries({
    cd: changePlace,
    pushd: changePlace,
    popd: (_: readonly Word[], scope: Scope) => scope.changePlace([]),
    eval: evaluate,
    source: sourced,
    '.': sourced,
    trap: trapped,
    export: declared,
    readonly: declared,
    declare: declared,
    typeset: declared,
    local: declared,
    unset: (args: readonly Word[], scope: Scope, walk: Walk) => names(args, scope, walk, 'unset'),
    read: (args: readonly Word[], scope: Scope, walk: Walk) => names(args, scope, walk, 'read'),
    mapfile: (args: readonly Word[], scope: Scope, walk: Walk) => callbacks(args, scope, walk, 'mapfile'),
    readarray: (args: readonly Word[], scope: Scope, walk: Walk) => callbacks(args, scope, walk, 'readarray'),
    getopts: (args: readonly Word[], scope: Scope, walk: Walk) => names(args.slice(1, 2), scope, walk, 'getopts'),
    printf: (args: readonly Word[], scope: Scope, walk: Walk) => {
      if (prefixOf(args[0] ?? []).startsWith('-')) names(args.slice(0, 2), scope, walk, 'printf')
      else if (args[0] !== undefined && literalOf(args[0]) === undefined && prefixOf(args[0]) === '') walk.found.hide('printf')
    },
    wait: (args: readonly Word[], scope: Scope, walk: Walk) => {
      if (args.some((arg) => prefixOf(arg).startsWith('-p'))) names(args, scope, walk, 'wait')
    },
    let: (_: readonly Word[], scope: Scope, walk: Walk) => {
      walk.found.hide('arithmetic')
      scope.forgetAll()
    },
    alias: (args: readonly Word[], _: Scope, walk: Walk) => {
      if (args.some((arg) => literalOf(arg)?.includes('=') !== false)) walk.found.hide('alias')
    },
    unalias: () => undefined,
    set: options,
    shopt: (args: readonly Word[], _: Scope, walk: Walk) => {
      if (!args.every((arg) => /^(-[suq]|nullglob|failglob|globstar|lastpipe)$/.test(literalOf(arg) ?? '')))
        walk.found.hide('shopt')
    },
    hash: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'hash', /^-[rl]$/),
    enable: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'enable', /^-[apns]$/),
    bind: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'bind', /^-[lpPsSvV]$/),
    complete: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'complete', /^-p$/),
    compgen: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'compgen', /^-[abcdefgjkuvs]$|^[a-z]*$/),
    fc: (_args: readonly Word[], _: Scope, walk: Walk) => walk.found.hide('fc'),
    history: (args: readonly Word[], _: Scope, walk: Walk) => onlyPlain(args, walk, 'history', /^[0-9]+$/),
    coproc: (_args: readonly Word[], _: Scope, walk: Walk) => walk.found.hide('coproc'),
    test: tested,
    '[': tested,
  }),
)

function changePlace(args: readonly Word[], scope: Scope): void {
  const operands = args.filter((arg) => !/^-[LPe@]+$|^--$/.test(literalOf(arg) ?? ''))
  const [place] = operands
  if (place === undefined) scope.changePlace([[{ kind: 'home' }]])
  else if (operands.length > 1 || place.some(({ kind }) => kind === 'any' || kind === 'glob') || /^[-+]/.test(prefixOf(place)))
    scope.changePlace([])
  else scope.changePlace(resolvePath(place, scope))
}

function evaluate(args: readonly Word[], scope: Scope, walk: Walk): void {
  const texts = (literalOf(args[0]) === '--' ? args.slice(1) : args).map(literalOf)
  if (texts.every((text) => text !== undefined)) walk.script(texts.join(' '), scope.inside(texts.join(' '), true))
  else walk.found.hide('eval')
  // What it did to the variables is not brought back.
  scope.forgetAll()
}

function sourced(args: readonly Word[], scope: Scope, walk: Walk): void {
  const [file] = args
  if (file === undefined) return
  walk.found.hide(`file:${showWord(file)}`)
  scope.forgetAll()
}

function trapped(args: readonly Word[], scope: Scope, walk: Walk): void {
  const operands = args.filter((arg) => !/^-[lpP]*$|^--$/.test(literalOf(arg) ?? ''))
  const [action] = operands
  if (action === undefined || operands.length < 2) return
  const text = literalOf(action)
  if (text === undefined) walk.found.hide('trap')
  else if (text !== '') {
    // It runs at some time later, when variables may have any value.
    const inner = scope.inside(text, false)
    inner.cwds = []
    walk.script(text, inner)
  }
}

/** `export A=b` as a plain command (quoted, or after `command`). */
function declared(args: readonly Word[], scope: Scope, walk: Walk): void {
  for (const arg of args) declareWord(arg, scope, walk)
}

/** One word of `declare`: an option, a name, or a name and its value. */
function declareWord(arg: Word, scope: Scope, walk: Walk): void {
  const text = literalOf(arg)
  const start = prefixOf(arg)
  if (/^[-+]/.test(start)) {
    // Integers are read as arithmetic, references by name; arrays and case change only values.
    if (text === undefined || /^-[a-zA-Z]*[inulcafFt]/.test(text)) {
      if (text === undefined || /[in]/.test(text)) walk.found.hide('declare')
      scope.forgetAll()
    }
    return
  }
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(start)?.[0]
  if (name === undefined || (text === undefined && !start.includes('=')) || start.slice(name.length).startsWith('[')) {
    walk.found.hide('declare')
    scope.forgetAll()
    return
  }
  if (start.length === name.length) return
  const known = start[name.length] === '=' && text !== undefined
  assign(name, known ? { word: textWord(text.slice(name.length + 1)) } : 'unknown', scope, walk)
}

/** Names of variables that get a value nobody foresees. A subscript is read as arithmetic. */
function names(args: readonly Word[], scope: Scope, walk: Walk, why: string): void {
  for (const arg of args) {
    const text = literalOf(arg)
    if (text === undefined || text.includes('[')) {
      walk.found.hide(why)
      scope.forgetAll()
    } else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) assign(text, 'unknown', scope, walk)
    else if (/^-[A-Za-z]*v[A-Za-z_]/.test(text)) assign(text.replace(/^-[A-Za-z]*?v/, ''), 'unknown', scope, walk)
  }
  if (why === 'read' && !args.some((arg) => /^[A-Za-z_]/.test(literalOf(arg) ?? ''))) assign('REPLY', 'unknown', scope, walk)
}

function callbacks(args: readonly Word[], scope: Scope, walk: Walk, why: string): void {
  if (args.some((arg) => /^-[A-Za-z]*C/.test(prefixOf(arg)))) walk.found.hide(why)
  names(args, scope, walk, why)
}

/** `set -k` takes assignments out of the words, `-x` runs what is in PS4; `set -- a b` only changes $1. */
function options(args: readonly Word[], _: Scope, walk: Walk): void {
  for (const arg of args) {
    const text = literalOf(arg)
    if (text === '--' || text === '-') return
    if (text === undefined && prefixOf(arg) === '') {
      walk.found.hide('set')
      return
    }
    if (!/^[-+]/.test(prefixOf(arg))) return
    if (text === undefined || /^[-+][a-z]*k/.test(text)) {
      walk.found.hide('set')
      return
    }
    if (/^[-+]o$/.test(text) && args.some((word) => /^(keyword|posix|history|histexpand)$/.test(literalOf(word) ?? ''))) {
      walk.found.hide('set')
      return
    }
  }
}

function onlyPlain(args: readonly Word[], walk: Walk, why: string, plain: RegExp): void {
  if (!args.every((arg) => plain.test(literalOf(arg) ?? ' '))) walk.found.hide(why)
}

/** `[ -v name[subscript] ]` reads the subscript as arithmetic. */
function tested(args: readonly Word[], _: Scope, walk: Walk): void {
  args.forEach((arg, index) => {
    const operator = literalOf(arg)
    if (operator !== undefined && !/^-[vR]$/.test(operator)) return
    const name = literalOf(args[index + 1])
    if (
      operator === undefined ? args.length === 2 && index === 0 && prefixOf(arg) === '' : name === undefined || name.includes('[')
    )
      walk.found.hide('test')
  })
}
