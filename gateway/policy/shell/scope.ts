import type { Found } from './found.ts'
import type { Syntax } from './parse.ts'
import { anyWord, showWord, type Word } from './word.ts'

/** What is known of a variable: the word it holds, patterns in it as far as a loop gave it file names; that it is a number; or nothing. */
export type Value = { readonly word: Word } | 'number' | 'unknown'

/** What a shell reads from where its standard input comes: `client`, whoever sent the command; a text in the command itself; anything else. */
export type Stdin = 'client' | 'other' | { readonly text: string }

/** Where the shell may be, at most so many places; more are any place. */
const MAX_CWDS = 4

/** The state of the shell at one point of the text, as far as it can be foreseen. */
export class Scope {
  readonly source: string
  readonly depth: number
  readonly vars: Map<string, Value>
  /** Names set since the scope was made: to be forgotten where it is not sure that they were. */
  readonly assigned = new Set<string>()
  /** By name, the variables their bodies set. */
  readonly functions: Map<string, ReadonlySet<string>>
  /** Places the shell may be in; empty: any. */
  cwds: readonly Word[]
  /** Where it is if the command before succeeded, and was a `cd`. */
  cdTo: readonly Word[] | undefined
  stdin: Stdin

  constructor(source: string, depth: number, from?: Scope) {
    this.source = source
    this.depth = depth
    this.vars = new Map(from?.vars)
    this.functions = from?.functions ?? new Map()
    this.cwds = from?.cwds ?? [[{ kind: 'home' }]]
    this.cdTo = from?.cdTo
    this.stdin = from?.stdin ?? 'client'
  }

  /** A copy whose changes do not come back: a subshell, a branch. */
  fork(): Scope {
    return new Scope(this.source, this.depth, this)
  }

  /** The scope of a text inside this one that the same shell reads (eval), or one of its own (`bash -c`), where only the place is known. */
  inside(text: string, same: boolean): Scope {
    const inner = new Scope(text, this.depth + 1, same ? this : undefined)
    if (!same) inner.cwds = this.cwds
    return inner
  }

  set(name: string, value: Value): void {
    this.vars.set(name, value)
    this.assigned.add(name)
  }

  forget(names: Iterable<string>): void {
    for (const name of names) this.set(name, 'unknown')
  }

  forgetAll(): void {
    this.forget([...this.vars.keys()])
    this.cwds = []
  }

  /** What is sure after one of these ways was gone: that in which they agree. */
  become(ways: readonly Scope[]): void {
    for (const name of new Set(ways.flatMap(({ assigned }) => [...assigned]))) {
      const [first = 'unknown', ...others] = ways.map((way) => way.vars.get(name) ?? 'unknown')
      this.set(name, others.every((value) => same(value, first)) ? first : 'unknown')
    }
    this.cwds = ways.some(({ cwds }) => cwds.length === 0) ? [] : distinct(ways.flatMap(({ cwds }) => cwds))
    this.cdTo = undefined
  }

  /** After `cd`: in one of `places`, or, as it may have failed, still where it was. */
  changePlace(places: readonly Word[]): void {
    this.cdTo = places
    this.cwds = places.length === 0 || this.cwds.length === 0 ? [] : distinct([...places, ...this.cwds])
  }
}

function same(a: Value, b: Value): boolean {
  return typeof a === 'object' && typeof b === 'object' ? showWord(a.word) === showWord(b.word) : a === b
}

function distinct(words: readonly Word[]): readonly Word[] {
  const byText = new Map(words.map((word) => [showWord(word), word]))
  return byText.size > MAX_CWDS ? [] : [...byText.values()]
}

/** What the parts of the walk ask of each other. */
export interface Walk {
  /** Where things are noted: another place during a first look at a loop. */
  found: Found
  /** One statement of the syntax. */
  node(node: Syntax, scope: Scope): void
  /** Statements one after the other. */
  all(nodes: readonly Syntax[], scope: Scope): void
  /** Commands inside a substitution, in a subshell of `scope`. */
  substitution(node: Syntax, scope: Scope): void
  /** A text the shell reads as commands. */
  script(text: string, scope: Scope): void
  /** One command with its words as the shell made them. */
  command(words: readonly Word[], scope: Scope): void
}

/** Shells nested in shells, deeper than anybody writes. */
export const MAX_NESTED = 8

/** The word for a variable's value. */
export function valueWord(name: string, value: Value, many: boolean): Word {
  if (value === 'number') return anyWord(`$${name}`, false)
  return value === 'unknown' ? anyWord(`$${name}`, many) : value.word
}

/** Kinds of syntax that are words, or parts of them. */
export const WORDS = new Set(
  `word number string raw_string ansi_c_string ansii_c_string translated_string concatenation simple_expansion expansion command_substitution
  process_substitution arithmetic_expansion brace_expression extglob_pattern`.split(/\s+/),
)
