import type { Api } from '../data/api.ts'
import type { BlobObject } from '../data/blob-objects.ts'
import { STOPPED } from '../data/player.ts'
import type { TapeWorker } from '../data/tape.ts'
import type { TerminalWorker } from '../data/terminals.ts'
import type { FramePlace } from '../router.ts'
import type { ReplayState } from './replay-input.ts'

/** What the page asks of whatever has the recording: the console's API, or a bundle that was opened from a folder. */
export type ReplayApi = Pick<Api, 'session' | 'statements' | 'events' | 'trust' | 'objects' | 'kill'>

/** Where the page is shown. */
export interface ReplaySetting {
  readonly newTapeWorker: () => TapeWorker
  readonly newTerminalWorker: () => TerminalWorker
  /** The address of a frame. */
  readonly pathOf: (session: string, place: FramePlace) => string
  /** Where bookmarks are kept, verifications noted and summaries asked for, where they can be. */
  readonly desk?: Pick<Api, 'bookmarks' | 'cases' | 'createCase' | 'changeCase' | 'noteVerification' | 'summarise'>
  /** The tape itself, where no server is asked for it. */
  readonly blobsOf?: (session: string) => readonly BlobObject[]
}

/** Nothing is open, at the beginning. */
export const AT_START: Omit<ReplayState, 'session'> = {
  page: 'loading',
  problem: '',
  player: STOPPED,
  cursor: 0,
  row: undefined,
  pane: 'content',
  selection: undefined,
  cell: undefined,
  search: '',
  searchWrong: '',
  view: undefined,
  exchangeFilter: '',
  span: undefined,
  tailing: false,
  help: false,
  kill: undefined,
  copied: false,
}
