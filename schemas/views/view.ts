import type { Frame } from '../frame.ts'

/** One value as shown: null for SQL NULL and its like; `masked` names what was there (`email`, `ssn`), where something was. */
export interface Cell {
  readonly text: string | null
  readonly masked?: string
  /** The rule that masked it. */
  readonly rule?: string
}

/** What a frame says, in people's terms. Every text is untrusted: whoever prints it must make it safe first. */
export type Shown =
  /** A command the client gave. */
  | { readonly show: 'statement'; readonly label: string; readonly text: string }
  /** Names of the columns of the rows that follow. */
  | { readonly show: 'columns'; readonly names: readonly string[] }
  | { readonly show: 'row'; readonly cells: readonly Cell[] }
  /** Anything else worth a line: an error, a completion, parameters. */
  | { readonly show: 'word'; readonly label: string; readonly text: string }
  /** Bytes not shown, and why. */
  | { readonly show: 'bytes'; readonly label: string; readonly size: number }

/** Reads one session's frames in tape order. Pure but for what it remembers between frames (columns, unfinished messages). */
export interface View {
  read(frame: Frame): readonly Shown[]
}
