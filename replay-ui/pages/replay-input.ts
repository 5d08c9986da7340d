import { dissect, maskMarks } from '../data/dissect.ts'
import { hasExchanges } from '../data/exchanges.ts'
import type { Player } from '../data/player.ts'
import type { SessionFeed } from '../data/session-feed.ts'
import { type Content, showFrame } from '../data/shown.ts'
import type { Tape } from '../data/tape.ts'
import { chunkOfFrame, lastAtMost } from '../data/tape-map.ts'
import type { Terminals } from '../data/terminals.ts'
import type { Span } from '../elements/time-line-layout.ts'
import type { ExchangeLooks } from './replay-exchanges.ts'
import type { InspectorInput, Pane, Selection } from './replay-inspector.ts'
import type { ReplaySetting } from './replay-setting.ts'
import type { ReplayInput } from './replay-view.ts'

export interface ShownFrame {
  readonly seq: number
  readonly missing: boolean
  readonly contents: readonly Content[]
}

/** Where the reader is, and what they have open. */
export interface ReplayState {
  readonly session: string
  readonly page: ReplayInput['state']
  readonly problem: string
  readonly player: Player
  readonly cursor: number
  readonly row: number | undefined
  readonly pane: Pane
  readonly selection: Selection | undefined
  readonly cell: InspectorInput['cell']
  readonly search: string
  readonly searchWrong: string
  /** What the reader chose; where they did not, a session shows what it is made of. */
  readonly view: 'frames' | 'exchanges' | undefined
  readonly exchangeFilter: string
  readonly span: Span | undefined
  readonly tailing: boolean
  readonly help: boolean
  readonly kill: { readonly busy: boolean; readonly problem: string } | undefined
  readonly copied: boolean
}

/** What the reader may wish for. */
export type ReplayActs = Pick<ReplayInput, 'onRetry' | 'onSeek' | 'onPlay' | 'onStep' | 'onSpeed' | 'onTail' | 'onHelp'> &
  Pick<InspectorInput, 'onPane' | 'onRow' | 'onCell' | 'onSelect' | 'onScreenSearch'> & {
    readonly onVerify: () => void
    readonly onCopy: () => void
    readonly onKill: (open: boolean) => void
    readonly onKillSubmit: (event: SubmitEvent) => void
    readonly onSearch: (text: string) => void
    readonly onFrame: (seq: number) => void
    readonly onView: (shown: 'frames' | 'exchanges') => void
    readonly onExchangeFilter: (text: string) => void
  }

export function shownView({ view }: Pick<ReplayState, 'view'>, feed: SessionFeed | undefined): 'frames' | 'exchanges' {
  const protocol = feed?.detail?.target.protocol
  return protocol !== undefined && hasExchanges(protocol) ? (view ?? 'exchanges') : 'frames'
}

/** Everything the view shows, put together. */
export function inputOf(
  state: ReplayState,
  feed: SessionFeed | undefined,
  tape: Tape | undefined,
  shown: ShownFrame | undefined,
  terminals: Terminals | undefined,
  looks: ExchangeLooks,
  desk: ReplaySetting['desk'],
  acts: ReplayActs,
): ReplayInput {
  const { cursor, player } = state
  const map = tape?.map
  const statements = feed?.statements ?? []
  const protocol = feed?.detail?.target.protocol ?? 'postgres'
  const recovered = (seq: number): boolean => map !== undefined && (map.chunks[chunkOfFrame(map, seq)]?.recovered ?? false)
  const checkedCount = tape?.checked.length ?? 0
  return {
    state: state.page,
    problem: state.problem,
    head: headOf(state, feed, tape, desk, acts),
    map,
    player,
    cursor,
    tailing: state.tailing,
    span: state.span ?? { fromUs: 0, toUs: 1 },
    checked: tape?.checked ?? [],
    checkedCount: checkedCount + (tape?.verification === undefined ? 0 : 1),
    statements: {
      statements,
      current: feed?.covers(cursor) === true ? lastAtMost(statements, (one) => one.frame, cursor) : -1,
      state: feed?.state ?? 'loading',
      problem: feed?.problem ?? '',
      onPick: ({ frame }) => acts.onFrame(frame),
    },
    frames: {
      protocol,
      frameCount: map?.frameCount ?? 0,
      cursor,
      search: state.search,
      searchWrong: state.searchWrong,
      found: tape?.found,
      loadedOf: (seq) => tape?.chunkWith(seq),
      frameOf: (seq) => tape?.frame(seq),
      recovered,
      follow: state.tailing,
      onSearch: acts.onSearch,
      onPick: acts.onFrame,
    },
    inspector: inspectorOf(state, tape, shown, terminals, protocol, recovered(cursor), shownView(state, feed) === 'frames', acts),
    exchanges: exchangesOf(state, feed, tape, terminals, looks, acts),
    views: hasExchanges(protocol),
    onView: acts.onView,
    help: state.help,
    kill:
      state.kill === undefined ? undefined : { ...state.kill, onSubmit: acts.onKillSubmit, onClose: () => acts.onKill(false) },
    onRetry: acts.onRetry,
    onSeek: acts.onSeek,
    onPlay: acts.onPlay,
    onStep: acts.onStep,
    onSpeed: acts.onSpeed,
    onTail: acts.onTail,
    onHelp: acts.onHelp,
  }
}

/** Where frames are shown. */
function toFrame(acts: Pick<ReplayActs, 'onView' | 'onFrame'>): (seq: number) => void {
  return (seq) => {
    acts.onView('frames')
    acts.onFrame(seq)
  }
}

function exchangesOf(
  state: ReplayState,
  feed: SessionFeed | undefined,
  tape: Tape | undefined,
  terminals: Terminals | undefined,
  looks: ExchangeLooks,
  acts: ReplayActs,
): ReplayInput['exchanges'] {
  const protocol = feed?.detail?.target.protocol
  if (protocol === undefined || shownView(state, feed) === 'frames') return undefined
  const { list, detail, terminal } = looks.at(state.cursor, state.exchangeFilter, tape, terminals)
  return {
    list: {
      ...list,
      protocol,
      exchanges: tape?.exchanges,
      problem: tape?.unlisted ?? '',
      filter: state.exchangeFilter,
      span: state.span ?? { fromUs: 0, toUs: 1 },
      onFilter: acts.onExchangeFilter,
      onPick: ({ frames }) => acts.onFrame(frames[0] ?? 0),
    },
    one: {
      detail,
      terminal,
      onFrame: toFrame(acts),
      onApproval: (id) => `/approvals/${encodeURIComponent(id)}`,
    },
  }
}

function headOf(
  state: ReplayState,
  feed: SessionFeed | undefined,
  tape: Tape | undefined,
  desk: ReplaySetting['desk'],
  acts: ReplayActs,
): ReplayInput['head'] {
  const detail = feed?.detail
  if (feed === undefined || detail === undefined) return undefined
  return {
    detail,
    tail: feed.tail,
    more:
      desk === undefined
        ? undefined
        : { desk, place: { frame: state.cursor, ...(state.row === undefined ? {} : { row: state.row }) } },
    copied: state.copied,
    integrity: {
      verification: tape?.verification,
      unverified: tape?.unverified,
      checkedChunks: tape?.checked.length ?? 0,
      chunks: tape?.map?.chunks.length ?? 0,
      live: detail.state === 'live',
      tookMs: tape?.verifiedInMs ?? 0,
      onAgain: acts.onVerify,
      onFrame: toFrame(acts),
    },
    onKill: () => acts.onKill(true),
    onCopy: acts.onCopy,
  }
}

function inspectorOf(
  state: ReplayState,
  tape: Tape | undefined,
  shown: ShownFrame | undefined,
  terminals: Terminals | undefined,
  protocol: Parameters<typeof dissect>[0],
  recovered: boolean,
  looked: boolean,
  acts: ReplayActs,
): InspectorInput {
  const { cursor, pane } = state
  const frame = tape?.frame(cursor)
  return {
    frame,
    instead: insteadOf(tape, cursor),
    recovered,
    pane,
    contents: shown?.contents ?? [],
    terminal: frame === undefined || tape?.map === undefined || !looked ? undefined : terminals?.at(frame, tape.map),
    missing: shown?.missing ?? false,
    row: state.row,
    fields: frame === undefined || pane !== 'bytes' ? [] : dissect(protocol, frame),
    marks: frame === undefined ? [] : maskMarks(frame),
    selection: state.selection,
    cell: state.cell,
    onPane: acts.onPane,
    onRow: acts.onRow,
    onCell: acts.onCell,
    onSelect: acts.onSelect,
    onScreenSearch: acts.onScreenSearch,
    onApproval: (id) => `/approvals/${encodeURIComponent(id)}`,
  }
}

/** Why there is no frame to show. */
function insteadOf(tape: Tape | undefined, cursor: number): InspectorInput['instead'] {
  const count = tape?.map?.frameCount ?? 0
  if (tape === undefined || count === 0) return { kind: 'loading', what: 'Nothing is recorded yet.' }
  const loaded = tape.chunkWith(cursor)
  if (loaded === undefined) return { kind: 'gap', what: `Frame ${cursor} is missing from the tape.` }
  if (loaded.state === 'damage')
    return { kind: 'gap', what: `This part of the tape cannot be read: ${loaded.what}. Frames before and after it can.` }
  if (loaded.state === 'frames') return { kind: 'gap', what: `Frame ${cursor} cannot be read. Frames before and after it can.` }
  return { kind: 'loading', what: 'Fetching the frame …' }
}

/** Frames looked back for the command a reply belongs to, before the statement list is asked. */
const MAX_LOOK_BACK = 400

/** What a frame shows; undefined where it is not here yet. */
export function shownAt(seq: number, feed: SessionFeed | undefined, tape: Tape | undefined): ShownFrame | undefined {
  const frame = tape?.frame(seq)
  const protocol = feed?.detail?.target.protocol
  if (feed === undefined || tape === undefined || frame === undefined || protocol === undefined) return undefined
  const command = commandOf(seq, feed, tape)
  const { contents, missing } = showFrame(protocol, frame, command, (one) => tape.frame(one))
  return { seq, contents, missing: missing || (command === undefined && !feed.covers(seq)) }
}

/** The frame of the command that frame `seq` answers: the nearest one from the client, or the statement's, once that is here. */
function commandOf(seq: number, feed: SessionFeed, tape: Tape): number | undefined {
  const first = tape.map?.chunks[chunkOfFrame(tape.map, seq)]?.firstSeq ?? seq
  for (let back = seq; back >= Math.max(first, seq - MAX_LOOK_BACK); back -= 1) if (tape.frame(back)?.dir === 'in') return back
  const { statements } = feed
  return feed.covers(seq) ? statements[lastAtMost(statements, (one) => one.frame, seq)]?.frame : undefined
}
