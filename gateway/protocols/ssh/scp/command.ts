import { join, literalOf, type Piece, type Word } from '../../../policy/shell/word.ts'

/** What a client of the old protocol of scp has run at the target. */
export interface ScpCommand {
  /** `to`: files are put there; `from`: fetched. */
  readonly direction: 'to' | 'from'
  /** As far as they are known before the target's shell has read them. */
  readonly paths: readonly Word[]
  /** Said by the client that the path is a folder. */
  readonly folder: boolean
  /** Why it must not run: nobody could tell where its files are. */
  readonly unclear?: string
}

const PROGRAM = /^(\/[\w./-]+\/)?scp$/
const OPTIONS = /^-[46BCdfpqrtvT]+$/
/** OpenSSH's client asks for one at a time. */
const MAX_PATHS = 64

/** The command, where it is nothing but scp as a client has it run; undefined for anything else, which is judged as the command it is. */
export function scpCommand(command: string): ScpCommand | undefined {
  const read = words(command) ?? []
  if (!PROGRAM.test(literalOf(read[0]) ?? '')) return undefined
  const rest = read.slice(1)
  const end = rest.findIndex((word) => literalOf(word) === '--' || !startOf(word).startsWith('-'))
  const options = (end === -1 ? rest : rest.slice(0, end)).map((word) => literalOf(word) ?? '')
  const paths = end === -1 ? [] : rest.slice(literalOf(rest[end]) === '--' ? end + 1 : end)
  const letters = options.join('')
  const [to, from] = [letters.includes('t'), letters.includes('f')]
  if (!options.every((word) => OPTIONS.test(word)) || to === from || paths.length === 0) return undefined
  if (to && paths.length > 1) return undefined
  const unclear =
    paths.length > MAX_PATHS ? `scp of more than ${MAX_PATHS} paths at once` : to ? unclearGoal(paths[0]) : undefined
  return { direction: to ? 'to' : 'from', paths, folder: letters.includes('d'), ...(unclear === undefined ? {} : { unclear }) }
}

/** What the shell makes of a pattern only the target knows, and by then the file is there. */
function unclearGoal(path: Word = []): string | undefined {
  const clear = path.every(({ kind }, index) => kind === 'text' || (kind === 'home' && index === 0))
  return clear ? undefined : 'the path that scp sends to has a pattern (* ? [ or ~) in it: name the path itself, or quote it'
}

function startOf([first]: Word): string {
  return first?.kind === 'text' ? first.text : ''
}

/** The words of a command in which the shell has nothing to do but to quote and to make names of patterns; undefined where it would do more. */
function words(command: string): Word[] | undefined {
  const found: Word[] = []
  const token = /\s+|'([^']*)'|"([^"$`\\]*)"|\\([^\n])|([^\s'"\\$`;&|<>()#!{}\n]+)/gy
  let word: Piece[] | undefined
  for (let at = 0; at < command.length; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(command)
    if (match === null) return undefined
    const [whole, single, double, escaped, plain] = match
    const text = single ?? double ?? escaped
    if (text !== undefined) {
      word ??= []
      word.push({ kind: 'text', text })
    } else if (plain !== undefined) {
      const last = token.lastIndex === command.length || /\s/.test(command[token.lastIndex] ?? '')
      const pieces = word === undefined ? begun(plain, last) : unquoted(plain)
      word ??= []
      word.push(...pieces)
    } else {
      if (whole.includes('\n')) return undefined
      if (word !== undefined) found.push(join(word))
      word = undefined
    }
  }
  return word === undefined ? found : [...found, join(word)]
}

/** At the beginning of a word; `last`: and all of it. `~` and `~/x` are the own home; `~root`, `~+` and what is quoted in part are somewhere. */
function begun(text: string, last: boolean): Piece[] {
  const own = text.startsWith('~/') || (text === '~' && last)
  return own ? [{ kind: 'home' }, ...unquoted(text.slice(1))] : unquoted(text)
}

const SOMETHING: Piece = { kind: 'any', source: '$()', many: false }
const PATTERN = /(\*\*+\/?)|([*?]|\[[A-Za-z0-9!^_.:-]+\])|(~[A-Za-z0-9_.+-]*)|\[|[^*?[~]+/g

/** Of brackets that are not plain nothing is known to the end of the word, and `**` may be folders in some shells. */
function unquoted(text: string): Piece[] {
  const pieces: Piece[] = []
  for (const [whole, many, glob, tilde] of text.matchAll(PATTERN)) {
    if (whole === '[') return [...pieces, SOMETHING]
    if (many !== undefined || tilde !== undefined) pieces.push(SOMETHING)
    else pieces.push(glob === undefined ? { kind: 'text', text: whole } : { kind: 'glob', text: glob })
  }
  return pieces
}
