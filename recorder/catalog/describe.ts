import type { Frame } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'

/** What a frame says, in the terms the catalog keeps of every protocol. Texts are masked as recorded, and untrusted. */
export type Told =
  /** A command the client gave. `answer` is what its answers will carry; null where nothing will answer it (blocked, held). */
  | { readonly told: 'statement'; readonly kind: string; readonly text: string; readonly answer: number | null }
  /** A piece of the answer to the command with this number; `end` where the protocol says how it went. */
  | { readonly told: 'answer'; readonly answer: number; readonly rows: number; readonly end: 'complete' | 'error' | null }

/** Reads one session's frames in tape order, each once. Never throws for what is in them. */
export interface Describer {
  read(frame: Frame): readonly Told[]
}

/**
 * A module that knows protocols exports `describers`: named to the catalog by its URL, because it is loaded in the catalog's
 * own thread, and because recorder/ itself knows no protocol.
 */
export type Describers = Readonly<Partial<Record<ProtocolName, () => Describer>>>
