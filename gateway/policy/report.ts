import { nearest } from '../yaml.ts'

export type Path = readonly (string | number)[]

/** `others`: what else the check went by; with a mistake in there, this may be none. */
export type Report = (path: Path, message: string, others?: readonly Path[]) => void

/** What was meant, where something known is near. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === undefined ? '' : `; did you mean "${near}"?`
}
