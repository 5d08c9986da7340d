import type { TapeObject, Trust } from '../../schemas/api.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { TapeVerification } from '../../schemas/verification.ts'
import type { CheckedChunk } from '../../schemas/verify/tape-state.ts'
import type { BlobObject } from './blob-objects.ts'
import type { Exchange } from './exchanges.ts'
import type { FrameFilter } from './filter.ts'
import type { TapeMap } from './tape-map.ts'

/** What the page asks of the tape's worker. */
export type Ask =
  | {
      readonly ask: 'open'
      readonly id: string
      readonly origin: string
      readonly purpose: string
      readonly only?: 'verify'
      /** The tape itself, where no server is asked for it. */
      readonly blobs?: readonly BlobObject[]
    }
  | { readonly ask: 'grow'; readonly objects: readonly TapeObject[] }
  | { readonly ask: 'chunk'; readonly index: number }
  | { readonly ask: 'verify'; readonly trust: Trust }
  /** Something is being fetched that somebody waits for: verification leaves the processor to it for a moment. */
  | { readonly ask: 'pause' }
  /** Puts exchanges together from the first frame that has not been looked at on; asked again when the tape has grown. */
  | { readonly ask: 'exchanges'; readonly protocol: ProtocolName; readonly target: string }
  /** Replaces the search before it; null ends it. */
  | { readonly ask: 'find'; readonly search: number; readonly filter: FrameFilter | null }

/** What the worker tells. */
export type Tell =
  | { readonly tell: 'map'; readonly map: TapeMap }
  | { readonly tell: 'chunk'; readonly index: number; readonly raw: Uint8Array; readonly bounds: Uint32Array }
  /** Only this chunk cannot be read; others can. `again`: it could not be fetched now, which may pass. */
  | { readonly tell: 'damage'; readonly index: number; readonly what: string; readonly again: boolean }
  | { readonly tell: 'checked'; readonly chunks: readonly CheckedChunk[] }
  | { readonly tell: 'verified'; readonly verification: TapeVerification; readonly tookMs: number }
  | {
      readonly tell: 'found'
      readonly search: number
      readonly seqs: readonly number[]
      /** Chunks looked through, of how many. */
      readonly looked: number
      readonly of: number
      readonly done: boolean
    }
  /** Exchanges that began or went on. `full`: there are more than are listed. */
  | {
      readonly tell: 'exchanges'
      readonly exchanges: readonly Exchange[]
      readonly looked: number
      readonly of: number
      readonly done: boolean
      readonly full: boolean
    }
  /** What was asked for cannot be had. */
  | { readonly tell: 'failed'; readonly ask: Ask['ask']; readonly code: string; readonly what: string }
