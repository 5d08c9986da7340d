import type { RawPiece } from './quoting.ts'
import { anyWord } from './word.ts'

/** More words out of one is no command a person reads; what they are is then not known. */
const MAX_WORDS = 64

/** Brace expansion (bash manual 3.5.1): one word or several. A sequence (`{1..3}`), and one that makes too many, gives words nothing is known of. */
export function expandBraces(pieces: readonly RawPiece[]): RawPiece[][] {
  if (pieces.filter((piece) => piece.kind === 'brace').length > MAX_WORDS) return [[...anyWord('$()', true)]]
  const words = expand(pieces)
  return words.length > MAX_WORDS ? [[...anyWord('$()', true)]] : words
}

function expand(pieces: readonly RawPiece[]): RawPiece[][] {
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at]
    if (piece?.kind !== 'brace' || piece.text !== '{') continue
    const group = groupAt(pieces, at)
    if (group === undefined) continue
    const head = pieces.slice(0, at)
    const tails = expand(pieces.slice(group.end + 1))
    const words = group.sequence ? [[...anyWord('$()', true)]] : group.parts.flatMap((part) => expand(part))
    const all: RawPiece[][] = []
    for (const word of words) {
      for (const tail of tails) {
        if (all.length > MAX_WORDS) return all
        all.push([...head, ...word, ...tail])
      }
    }
    return all
  }
  return [[...pieces]]
}

/** The group that opens at `start`: closed, with a comma of its own, or a sequence. */
function groupAt(
  pieces: readonly RawPiece[],
  start: number,
): { readonly end: number; readonly parts: RawPiece[][]; readonly sequence: boolean } | undefined {
  let depth = 0
  const parts: RawPiece[][] = [[]]
  for (let at = start; at < pieces.length; at++) {
    const piece = pieces[at]
    if (piece === undefined) break
    const brace = piece.kind === 'brace' ? piece.text : ''
    if (brace === '{') depth++
    if (brace === '}') depth--
    if (depth === 0) {
      const sequence = parts.length === 1 && parts[0]?.some((part) => part.kind !== 'text' || part.text.includes('..')) === true
      return parts.length > 1 || sequence ? { end: at, parts, sequence } : undefined
    }
    if (depth === 1 && brace === ',') parts.push([])
    else if (at > start) parts.at(-1)?.push(piece)
  }
  return undefined
}
