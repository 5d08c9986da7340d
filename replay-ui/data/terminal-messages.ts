import type { BlobObject } from './blob-objects.ts'
import type { ChunkPlace } from './tape-map.ts'
import type { TerminalScreen } from './terminal-tape.ts'

export interface ScreenSearch {
  readonly text: string
  readonly seq: number
  readonly way: 'next' | 'previous'
}

/** What the page asks of the terminals' worker. */
export type TerminalAsk =
  | {
      readonly ask: 'open'
      readonly id: string
      readonly origin: string
      readonly purpose: string
      /** The tape itself, where no server is asked for it. */
      readonly blobs?: readonly BlobObject[]
    }
  /** What the tape is made of, as the page knows it now. */
  | { readonly ask: 'map'; readonly chunks: readonly ChunkPlace[] }
  /** A newer question replaces this one. */
  | { readonly ask: 'screen'; readonly channel: number; readonly seq: number }
  /** Where next, or before, the text comes onto the screen: after frame `seq` or before it. A newer question of this kind replaces this one; an empty text asks nothing. */
  | ({ readonly ask: 'find'; readonly channel: number } & ScreenSearch)

/** What it tells. */
export type TerminalTell =
  /** `screen` is null where the channel has no terminal at that frame. */
  | { readonly tell: 'screen'; readonly channel: number; readonly seq: number; readonly screen: TerminalScreen | null }
  /** Frames read on the way to it. */
  | { readonly tell: 'reading'; readonly channel: number; readonly seq: number; readonly read: number }
  /** How far a search has read, and at its end where it was found, null where it is nowhere. */
  | ({ readonly tell: 'finding'; readonly channel: number; readonly read: number } & ScreenSearch)
  | ({ readonly tell: 'found'; readonly channel: number; readonly at: number | null } & ScreenSearch)
  | { readonly tell: 'failed'; readonly what: string }
