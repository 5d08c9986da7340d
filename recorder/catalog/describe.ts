import type { TextPlace } from '../../schemas/api-names.ts'
import type { Frame } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { TerminalStep } from '../../schemas/views/terminal.ts'

/** What a frame says, in the terms the catalog keeps of every protocol. Texts are masked as recorded, and untrusted. */
export type Told =
  /** A command the client gave. `answer` is what its answers will carry; null where nothing will answer it (blocked, held). */
  | {
      readonly told: 'statement'
      readonly kind: string
      readonly text: string
      readonly answer: number | null
      /** What it touches: tables, routes, paths; by one spelling each. */
      readonly objects?: readonly string[]
      readonly verbs?: readonly string[]
      /** The same for commands that differ in their values only. */
      readonly fingerprint?: string
    }
  /** A piece of the answer to the command with this number; `end` where the protocol says how it went. */
  | {
      readonly told: 'answer'
      readonly answer: number
      readonly rows: number
      readonly end: 'complete' | 'error' | null
      /** What tells its rows from each other, one text a row where rows can be told: a key, or else the whole row. */
      readonly keys?: readonly string[]
      /** What `keys` are: the name of the key's column, or `row`. */
      readonly keyed?: string
    }
  /** Text to be found by. `firstRow`: its lines are rows of the frame's result, from this one on. */
  | { readonly told: 'text'; readonly place: TextPlace; readonly text: string; readonly firstRow: number | null }
  /** What the frame does to the terminal of its channel; what can be read on it is found out by an emulator. */
  | { readonly told: 'screen'; readonly step: TerminalStep }

/** Reads one session's frames in tape order, each once. Never throws for what is in them. */
export interface Describer {
  read(frame: Frame): readonly Told[]
}

/**
 * A module that knows protocols exports `describers`: named to the catalog by its URL, because it is loaded in the catalog's
 * own thread, and because recorder/ itself knows no protocol.
 */
export type Describers = Readonly<Partial<Record<ProtocolName, () => Describer>>>
