import { literalOf, prefixOf, type Word } from './word.ts'

/** Which options a program knows, as far as its words must be told apart. */
export interface OptionSpec {
  /** Letters of options without a value, and long names. */
  readonly flags?: string
  /** Letters and long names of options whose value is the rest of the word, or the next word. */
  readonly values?: string
  /** Letters and long names of options whose value, if any, is the rest of the same word (`-i{}`, `--eof=x`). */
  readonly attached?: string
}

export interface ReadOptions {
  /** Options met, by letter or name, with their value where they take one. */
  readonly options: readonly (readonly [name: string, value: Word | undefined])[]
  /** What follows them. */
  readonly operands: readonly Word[]
}

/**
 * Reads options up to the first word that is none, as getopt does with POSIXLY_CORRECT. Undefined where a word could be an option
 * and is not known, or is an option the spec lacks: what follows it could then be anything.
 */
export function readOptions(words: readonly Word[], spec: OptionSpec): ReadOptions | undefined {
  const { flags, values, attached } = sets(spec)
  const options: (readonly [string, Word | undefined])[] = []
  let at = 0
  for (; at < words.length; at++) {
    const word = words[at] ?? []
    const prefix = prefixOf(word)
    const text = literalOf(word)
    if (prefix === '' && text === undefined) {
      if (word[0]?.kind === 'home') break
      return undefined
    }
    if (!prefix.startsWith('-') || text === '-') break
    if (text === '--') {
      at++
      break
    }
    if (prefix.startsWith('--')) {
      const equals = prefix.indexOf('=')
      const name = equals === -1 ? text?.slice(2) : prefix.slice(2, equals)
      if (name === undefined) return undefined
      if (equals !== -1) {
        if (!values.has(name) && !attached.has(name)) return undefined
        options.push([name, cut(word, equals + 1)])
      } else if (flags.has(name) || attached.has(name)) options.push([name, undefined])
      else if (values.has(name)) options.push([name, words[++at]])
      else return undefined
      continue
    }
    for (let letter = 1; letter < prefix.length; letter++) {
      const name = prefix[letter] ?? ''
      if (flags.has(name)) {
        options.push([name, undefined])
        if (letter + 1 === prefix.length && text === undefined) return undefined
      } else if (values.has(name)) {
        const rest = letter + 1 < prefix.length || text === undefined
        options.push([name, rest ? cut(word, letter + 1) : words[++at]])
        break
      } else if (attached.has(name)) {
        options.push([name, cut(word, letter + 1)])
        break
      } else return undefined
    }
  }
  return { options, operands: words.slice(at) }
}

/** The word without its first characters, which are text. */
export function cut(word: Word, count: number): Word {
  const [first, ...rest] = word
  if (first?.kind !== 'text') return word
  const text = first.text.slice(count)
  return text === '' ? rest : [{ kind: 'text', text }, ...rest]
}

const known = new WeakMap<OptionSpec, Readonly<Record<keyof OptionSpec, ReadonlySet<string>>>>()

function sets(spec: OptionSpec): Readonly<Record<keyof OptionSpec, ReadonlySet<string>>> {
  const found = known.get(spec)
  if (found !== undefined) return found
  const set = (names: string | undefined): ReadonlySet<string> => new Set(names?.split(/\s+/))
  const made = { flags: set(spec.flags), values: set(spec.values), attached: set(spec.attached) }
  known.set(spec, made)
  return made
}
