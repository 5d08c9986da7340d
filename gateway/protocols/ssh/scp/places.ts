import { resolvePath } from '../../../policy/shell/paths.ts'
import { literalOf, type Piece, showWord, showWords, textWord, type Word } from '../../../policy/shell/word.ts'
import type { ScpCommand } from './command.ts'

/** As deep, and as long, as a path of Linux may be. */
const MAX_FOLDERS = 256
const MAX_PATH_BYTES = 4_096

/** Where a file may be. */
export interface Place {
  readonly path: string
  /** As rules read it, like a path among the words of a command. */
  readonly fact: string
}

/** Undefined where this is deeper or longer than a path may be. `inside`: folders on the way and the name. Never empty. */
export function placesOf(command: ScpCommand, inside: readonly string[]): readonly Place[] | undefined {
  if (inside.length > MAX_FOLDERS) return undefined
  const words = command.direction === 'to' ? sentTo(command, inside) : fetched(command, inside)
  const places = words.map(placeOf)
  return places.some(({ path }) => Buffer.byteLength(path) > MAX_PATH_BYTES) ? undefined : places
}

function placeOf(word: Word): Place {
  const [whole = word] = resolvePath(word, { cwds: [[{ kind: 'home' }]] })
  const [first, ...rest] = whole
  // A path from the home directory is told as the client gave it.
  const path =
    first?.kind === 'home' ? (literalOf(rest)?.replace(/^\//, '') ?? showWord(whole)) : (literalOf(whole) ?? showWord(whole))
  return { path: path === '' ? '.' : path, fact: showWords([textWord('scp'), whole]) }
}

/** A path that is sent to may be a folder or the file. */
function sentTo({ paths: [path = []], folder }: ScpCommand, inside: readonly string[]): readonly Word[] {
  const below = at(path, inside)
  const last = path.at(-1)
  if (folder || (last?.kind === 'text' && last.text.endsWith('/'))) return [below]
  return [at(path, inside.slice(1)), below]
}

/** One of several that are fetched: by its name, where that is known of all. */
function fetched({ paths }: ScpCommand, inside: readonly string[]): readonly Word[] {
  const split = paths.map(splitLast)
  const named = split.filter(({ name }) => name === undefined || name === inside[0])
  return (named.length > 0 ? named : split).map(({ whole, folder, home }) => {
    if (home) return at(whole, inside.slice(1))
    return folder.at(-1)?.kind === 'any' ? [...folder, text(inside.join('/'))] : at(folder, inside)
  })
}

interface Split {
  readonly whole: Word
  /** Its folder; where it ends in what may be any text, that has the slash before the name in it. */
  readonly folder: Word
  /** Its last component; undefined where it is a pattern. */
  readonly name: string | undefined
  /** It is the home directory, whose name nobody knows. */
  readonly home: boolean
}

function splitLast(path: Word): Split {
  const whole = trimmed(path)
  if (whole.length === 1 && whole[0]?.kind === 'home') return { whole, folder: whole, name: undefined, home: true }
  const cut = whole.findLastIndex((piece) => piece.kind === 'text' && piece.text.includes('/'))
  const any = whole.findLastIndex(({ kind }) => kind === 'any')
  if (any > cut) return { whole, folder: whole.slice(0, any + 1), name: undefined, home: false }
  const piece = whole[cut]
  if (piece?.kind !== 'text') return { whole, folder: [], name: literalOf(whole), home: false }
  const slash = piece.text.lastIndexOf('/')
  const folder = [...whole.slice(0, cut), text(slash === 0 && cut === 0 ? '/' : piece.text.slice(0, slash))]
  return { whole, folder, name: literalOf([text(piece.text.slice(slash + 1)), ...whole.slice(cut + 1)]), home: false }
}

/** Without slashes at its end. */
function trimmed(path: Word): Word {
  const last = path.at(-1)
  if (last?.kind !== 'text' || !last.text.endsWith('/')) return path
  let end = last.text.length
  while (end > 0 && last.text[end - 1] === '/') end--
  if (end > 0) return [...path.slice(0, -1), text(last.text.slice(0, end))]
  return path.length === 1 ? [text('/')] : path.slice(0, -1)
}

/** An empty word is the folder the command runs in. */
function at(folder: Word, inside: readonly string[]): Word {
  const start = folder.length === 0 ? [text('.')] : folder
  return inside.length === 0 ? start : [...start, text(`/${inside.join('/')}`)]
}

function text(value: string): Piece {
  return { kind: 'text', text: value }
}
