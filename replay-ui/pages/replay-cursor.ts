import { play } from '../data/player.ts'
import type { SessionFeed } from '../data/session-feed.ts'
import type { Tape } from '../data/tape.ts'
import { chunkAtTime, lastAtMost } from '../data/tape-map.ts'
import { following } from '../elements/time-line-layout.ts'
import type { ReplayState } from './replay-input.ts'

/** The address follows the cursor; browsers take only so many changes. */
const ADDRESS_MS = 300
/** Who moves no farther is reading on: the next chunk is asked for before it is needed. */
const NEAR_FRAMES = 64
/** What was shown stays that long while the next is fetched: drawing a page that says so takes longer than most fetches do. */
const PATIENCE_MS = 150

/** The page whose cursor it is. */
export interface CursorHost {
  readonly state: ReplayState
  readonly tape: Tape | undefined
  readonly feed: SessionFeed | undefined
  readonly isConnected: boolean
  set(change: Partial<ReplayState>): void
  redraw(): void
  /** The cursor has come to rest somewhere. */
  placed(): void
}

/** Where in a recording its reader is: goes to frames, moments and statements, plays, and waits for what is not here yet. */
export class ReplayCursor {
  readonly #host: CursorHost
  /** Set while the frame under the cursor is on its way. */
  #arriving: { readonly near: boolean; readonly sinceMs: number } | undefined
  /** As it was last drawn with its frame. */
  #drawn: ReplayState | undefined
  #tickedMs = 0
  #telling: ReturnType<typeof setTimeout> | undefined

  constructor(host: CursorHost) {
    this.#host = host
  }

  close(): void {
    clearTimeout(this.#telling)
  }

  /** The state to draw: where the cursor's chunk is still being fetched, for a moment at the place it comes from. */
  patient(): ReplayState {
    const { cursor } = this.#host.state
    const waits = this.#arriving !== undefined && performance.now() - this.#arriving.sinceMs < PATIENCE_MS
    if (waits && this.#drawn !== undefined && this.#host.tape?.chunkWith(cursor)?.state === 'loading') {
      const { cursor: before, row, selection, cell } = this.#drawn
      return { ...this.#host.state, cursor: before, row, selection, cell }
    }
    if (this.#host.tape?.frame(cursor) !== undefined) this.#drawn = this.#host.state
    return this.#host.state
  }

  get lastFrame(): number {
    return Math.max(0, (this.#host.tape?.map?.frameCount ?? 0) - 1)
  }

  /** To a frame, whose time the playhead takes once it is here. */
  goTo(seq: number, row?: number): void {
    const target = Math.max(0, Math.min(seq, this.lastFrame))
    const near = Math.abs(target - this.#host.state.cursor) <= NEAR_FRAMES
    this.#put(target, row)
    this.#arriving = { near, sinceMs: performance.now() }
    this.#host.feed?.pause()
    this.arrive()
    if (this.#arriving !== undefined) setTimeout(() => this.#host.redraw(), PATIENCE_MS)
  }

  arrive(): void {
    const { cursor, player, span } = this.#host.state
    const frame = this.#arriving === undefined ? undefined : this.#host.tape?.frame(cursor)
    if (this.#arriving === undefined || frame === undefined) return
    if (this.#arriving.near) this.#host.tape?.ahead(cursor)
    this.#arriving = undefined
    this.#host.set({
      player: player.playing ? player : play(player, { move: 'to', atUs: frame.atUs }),
      span: following(span ?? { fromUs: 0, toUs: player.durationUs }, frame.atUs),
    })
  }

  #put(cursor: number, row: number | undefined): void {
    const same = cursor === this.#host.state.cursor && row === this.#host.state.row
    this.#host.set(same ? {} : { cursor, row, selection: undefined, cell: undefined })
    clearTimeout(this.#telling)
    this.#telling = setTimeout(() => this.#host.placed(), ADDRESS_MS)
  }

  /** To a moment; the cursor follows, now or when the chunk has come. */
  seek(atUs: number, tailing = false): void {
    const player = play(this.#host.state.player, { move: 'to', atUs })
    this.#host.set({
      player,
      tailing,
      span: following(this.#host.state.span ?? { fromUs: 0, toUs: player.durationUs }, player.atUs),
    })
    const { map } = this.#host.tape ?? {}
    const chunk = map?.chunks[chunkAtTime(map, player.atUs)]
    if (chunk === undefined) return
    const found = this.#host.tape?.frameAt(player.atUs)
    if (found !== undefined) {
      if (found.seq !== this.#host.state.cursor) this.#put(found.seq, undefined)
      if (player.playing) this.#host.tape?.ahead(found.seq)
      return
    }
    void this.#host.tape?.whenFrame(chunk.firstSeq).then(() => {
      if (this.#host.state.player.atUs !== player.atUs) return
      const late = this.#host.tape?.frameAt(player.atUs)
      if (late !== undefined) this.#put(late.seq, undefined)
    })
  }

  step(by: 1 | -1): void {
    const { player, cursor } = this.#host.state
    this.#host.set({ tailing: false, player: player.playing ? play(player, { move: 'toggle' }) : player })
    const seqs = this.#host.tape?.found?.seqs
    const at = seqs === undefined ? -1 : lastAtMost(seqs, (seq) => seq, cursor)
    const next = seqs === undefined ? cursor + by : by === 1 ? seqs[at + 1] : seqs[seqs[at] === cursor ? at - 1 : at]
    if (next !== undefined) this.goTo(next)
  }

  toStatement(by: 1 | -1, marked: boolean): void {
    const { cursor } = this.#host.state
    const wanted = (this.#host.feed?.statements ?? []).filter(
      ({ verdict }) => !marked || (verdict !== null && verdict !== 'allow'),
    )
    const next = by === 1 ? wanted.find(({ frame }) => frame > cursor) : wanted.findLast(({ frame }) => frame < cursor)
    this.#host.set({ tailing: false })
    if (next !== undefined) this.goTo(next.frame)
  }

  toggle(): void {
    const player = play(this.#host.state.player, { move: 'toggle' })
    this.#host.set({ player, tailing: false })
    if (!player.playing) this.#host.placed()
    else {
      this.#tickedMs = performance.now()
      requestAnimationFrame(this.#tick)
    }
  }

  readonly #tick = (nowMs: number): void => {
    const { player, cursor } = this.#host.state
    if (!player.playing || !this.#host.isConnected) return
    const realUs = Math.max(0, nowMs - this.#tickedMs) * 1000
    this.#tickedMs = nowMs
    const next = this.#host.tape?.frame(cursor + 1)
    const moved = play(player, { move: 'tick', realUs, ...(next === undefined ? {} : { nextUs: next.atUs }) })
    this.#host.set({ player: moved })
    this.seek(moved.atUs)
    requestAnimationFrame(this.#tick)
  }
}
