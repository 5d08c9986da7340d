import type { BlobObject } from './blob-objects.ts'
import type { ChunkPlace } from './tape-map.ts'
import type { TerminalScreen } from './terminal-tape.ts'

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

/** What it tells. */
export type TerminalTell =
  /** `screen` is null where the channel has no terminal at that frame. */
  | { readonly tell: 'screen'; readonly channel: number; readonly seq: number; readonly screen: TerminalScreen | null }
  /** Frames read on the way to it. */
  | { readonly tell: 'reading'; readonly channel: number; readonly seq: number; readonly read: number }
  | { readonly tell: 'failed'; readonly what: string }
