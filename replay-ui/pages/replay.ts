import { LitElement, type TemplateResult } from 'lit'
import type { SessionDetail, SessionProgress } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { type Api, ApiError } from '../data/api.ts'
import type { BlobObject } from '../data/blob-objects.ts'
import { parseFilter } from '../data/filter.ts'
import { play, STOPPED } from '../data/player.ts'
import { SessionFeed } from '../data/session-feed.ts'
import { Tape, type TapeWorker } from '../data/tape.ts'
import { chunkAtTime, lastAtMost } from '../data/tape-map.ts'
import { Terminals, type TerminalWorker } from '../data/terminals.ts'
import { following, zoomed } from '../elements/time-line-layout.ts'
import type { FramePlace } from '../router.ts'
import { inputOf, type ReplayActs, type ReplayState, type ShownFrame, shownAt } from './replay-input.ts'
import { commandOf, type KeyCommand } from './replay-keys.ts'
import { view } from './replay-view.ts'

/** A growing tape is verified again this long after the last time. */
const VERIFY_AGAIN_MS = 15_000
const COPIED_MS = 2_000
/** The address follows the cursor; browsers take only so many changes. */
const ADDRESS_MS = 300
/** Who moves no farther is reading on: the next chunk is asked for before it is needed. */
const NEAR_FRAMES = 64
/** What was shown stays that long while the next is fetched: drawing a page that says so takes longer than most fetches do. */
const PATIENCE_MS = 150

/** Why the recording is read, as the ledger notes it. */
const PURPOSE = 'console replay'

/** What the page asks of whatever has the recording: the console's API, or a bundle that was opened from a folder. */
export type ReplayApi = Pick<Api, 'session' | 'statements' | 'events' | 'trust' | 'objects' | 'kill'>

/** Where the page is shown. */
export interface ReplaySetting {
  readonly newTapeWorker: () => TapeWorker
  readonly newTerminalWorker: () => TerminalWorker
  /** The address of a frame. */
  readonly pathOf: (session: string, place: FramePlace) => string
  /** The tape itself, where no server is asked for it. */
  readonly blobsOf?: (session: string) => readonly BlobObject[]
}

const AT_START: Omit<ReplayState, 'session'> = {
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
  span: undefined,
  tailing: false,
  help: false,
  kill: undefined,
  copied: false,
}

export class ReplayPage extends LitElement {
  static override properties = {
    api: { attribute: false },
    session: { attribute: false },
    place: { attribute: false },
    setting: { attribute: false },
  }
  declare api: ReplayApi
  declare setting: ReplaySetting
  declare session: string
  declare place: FramePlace | undefined
  #state: ReplayState = { ...AT_START, session: '' }
  #feed: SessionFeed | undefined
  #tape: Tape | undefined
  #terminals: Terminals | undefined
  #shown: ShownFrame | undefined
  #placed = false
  /** Set while the frame under the cursor is on its way. */
  #arriving: { readonly near: boolean; readonly sinceMs: number } | undefined
  /** As it was last drawn with its frame. */
  #drawn: ReplayState | undefined
  #gone = new AbortController()
  #tickedMs = 0
  #verifiedMs = 0
  #trust: Awaited<ReturnType<Api['trust']>> | undefined
  #address: ReturnType<typeof setTimeout> | undefined

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
    addEventListener('keydown', this.#pressed, { signal: this.#gone.signal })
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
    this.#tape?.close()
    this.#terminals?.close()
    clearTimeout(this.#address)
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('session')) void this.#open()
    else if (changed.has('place') && this.place !== undefined) this.#goTo(this.place.frame, this.place.row)
  }

  protected override updated(): void {
    for (const dialog of this.querySelectorAll('dialog')) if (!dialog.open) dialog.showModal()
  }

  protected override render(): TemplateResult {
    const state = this.#patient()
    return view(inputOf(state, this.#feed, this.#tape, this.#show(state.cursor), this.#terminals, this.#acts))
  }

  /** The state to draw: where the cursor's chunk is still being fetched, for a moment at the place it comes from. */
  #patient(): ReplayState {
    const { cursor } = this.#state
    const waits = this.#arriving !== undefined && performance.now() - this.#arriving.sinceMs < PATIENCE_MS
    if (waits && this.#drawn !== undefined && this.#tape?.chunkWith(cursor)?.state === 'loading') {
      const { cursor: before, row, selection, cell } = this.#drawn
      return { ...this.#state, cursor: before, row, selection, cell }
    }
    if (this.#tape?.frame(cursor) !== undefined) this.#drawn = this.#state
    return this.#state
  }

  #set(change: Partial<ReplayState>): void {
    this.#state = { ...this.#state, ...change }
    this.requestUpdate()
  }

  async #open(): Promise<void> {
    this.#tape?.close()
    this.#terminals?.close()
    this.#state = { ...AT_START, session: this.session }
    this.#placed = false
    this.#arriving = undefined
    this.#drawn = undefined
    const { newTapeWorker, newTerminalWorker, blobsOf } = this.setting
    const blobs = blobsOf?.(this.session)
    const tape = new Tape(newTapeWorker, () => this.#tapeChanged())
    this.#tape = tape
    // The tape, the session and its statements are asked for together: none needs another.
    tape.open(this.session, location.origin, PURPOSE, blobs)
    this.#terminals = new Terminals(
      newTerminalWorker,
      { id: this.session, origin: location.origin, purpose: PURPOSE, ...(blobs === undefined ? {} : { blobs }) },
      () => this.requestUpdate(),
    )
    const listener = {
      changed: () => this.requestUpdate(),
      grown: (progress: SessionProgress) => this.#grew(progress),
      ended: () => void this.#ended(),
    }
    this.#feed = new SessionFeed(this.api, this.session, listener, this.#gone.signal)
    try {
      this.#opened(await this.#feed.open())
    } catch (error) {
      if (!this.#gone.signal.aborted) this.#fail(error)
    }
  }

  #opened({ identity, target, state, may }: SessionDetail): void {
    document.title = `${safeText(identity.subject)} → ${safeText(target.name)} · Sallyport`
    const failed = may.read ? this.#tape?.failed : undefined
    if (failed !== undefined) this.#fail(new Error(failed.what))
    else {
      const tailing = state === 'live' && may.read && this.place === undefined
      this.#set({ page: may.read ? 'here' : 'forbidden', tailing })
      // The tape may have been there first.
      if (tailing && this.#placed) this.#goTo(this.#lastFrame)
    }
  }

  #fail(error: unknown): void {
    const missing = error instanceof ApiError && error.status === 404
    const problem = missing ? `There is no session ${this.session}, or it is not yours to see.` : messageOf(error)
    this.#set({ page: 'failed', problem })
  }

  #tapeChanged(): void {
    const tape = this.#tape
    const map = tape?.map
    if (tape?.failed !== undefined && map === undefined && this.#state.page === 'here') this.#fail(new Error(tape.failed.what))
    if (tape !== undefined && map !== undefined) {
      if (this.#state.player.durationUs !== map.durationUs) this.#lengthened(map.durationUs)
      if (!this.#placed) {
        this.#placed = true
        const first = this.place?.frame ?? (this.#state.tailing ? this.#lastFrame : 0)
        this.#goTo(first, this.place?.row)
        // What is looked at first comes first.
        void tape.whenFrame(Math.min(first, map.frameCount - 1)).then(() => this.#verify())
      }
    }
    this.#arrive()
    this.requestUpdate()
  }

  #lengthened(durationUs: number): void {
    const { player, span, tailing } = this.#state
    // Everything was in sight, and is again.
    const whole = span === undefined || span.toUs - span.fromUs >= player.durationUs
    this.#set({
      player: play(player, { move: 'grown', durationUs }),
      span: whole ? { fromUs: 0, toUs: Math.max(1, durationUs) } : span,
    })
    if (tailing) this.#goTo(this.#lastFrame)
  }

  get #lastFrame(): number {
    return Math.max(0, (this.#tape?.map?.frameCount ?? 0) - 1)
  }

  async #verify(): Promise<void> {
    this.#verifiedMs = performance.now()
    try {
      this.#trust ??= await this.api.trust(this.#gone.signal)
      this.#tape?.verify(this.#trust)
    } catch (error) {
      if (this.#gone.signal.aborted || this.#tape === undefined) return
      this.#tape.unverified = messageOf(error)
    }
    this.requestUpdate()
  }

  #grew({ objects }: SessionProgress): void {
    this.#tape?.grow(objects)
    if (performance.now() - this.#verifiedMs > VERIFY_AGAIN_MS) void this.#verify()
  }

  async #ended(): Promise<void> {
    this.#set({ tailing: false })
    try {
      const { objects } = await this.api.objects(this.session, this.#gone.signal)
      this.#tape?.grow(objects)
      await this.#verify()
    } catch (error) {
      if (!this.#gone.signal.aborted && this.#tape !== undefined) this.#tape.unverified = messageOf(error)
    }
  }

  /** To a frame, whose time the playhead takes once it is here. */
  #goTo(seq: number, row?: number): void {
    const target = Math.max(0, Math.min(seq, this.#lastFrame))
    const near = Math.abs(target - this.#state.cursor) <= NEAR_FRAMES
    this.#put(target, row)
    this.#arriving = { near, sinceMs: performance.now() }
    this.#feed?.pause()
    this.#arrive()
    if (this.#arriving !== undefined) setTimeout(() => this.requestUpdate(), PATIENCE_MS)
  }

  #arrive(): void {
    const { cursor, player, span } = this.#state
    const frame = this.#arriving === undefined ? undefined : this.#tape?.frame(cursor)
    if (this.#arriving === undefined || frame === undefined) return
    if (this.#arriving.near) this.#tape?.ahead(cursor)
    this.#arriving = undefined
    this.#set({
      player: player.playing ? player : play(player, { move: 'to', atUs: frame.atUs }),
      span: following(span ?? { fromUs: 0, toUs: player.durationUs }, frame.atUs),
    })
  }

  #put(cursor: number, row: number | undefined): void {
    const same = cursor === this.#state.cursor && row === this.#state.row
    this.#set(same ? {} : { cursor, row, selection: undefined, cell: undefined })
    clearTimeout(this.#address)
    this.#address = setTimeout(() => this.#tellAddress(), ADDRESS_MS)
  }

  #tellAddress(): void {
    if (!this.isConnected || this.#state.player.playing || this.#state.tailing) return
    history.replaceState(null, '', this.#path)
  }

  get #path(): string {
    const { cursor, row } = this.#state
    return this.setting.pathOf(this.session, { frame: cursor, ...(row === undefined ? {} : { row }) })
  }

  /** To a moment; the cursor follows, now or when the chunk has come. */
  #seek(atUs: number, tailing = false): void {
    const player = play(this.#state.player, { move: 'to', atUs })
    this.#set({ player, tailing, span: following(this.#state.span ?? { fromUs: 0, toUs: player.durationUs }, player.atUs) })
    const { map } = this.#tape ?? {}
    const chunk = map?.chunks[chunkAtTime(map, player.atUs)]
    if (chunk === undefined) return
    const found = this.#tape?.frameAt(player.atUs)
    if (found !== undefined) {
      if (found.seq !== this.#state.cursor) this.#put(found.seq, undefined)
      if (player.playing) this.#tape?.ahead(found.seq)
      return
    }
    void this.#tape?.whenFrame(chunk.firstSeq).then(() => {
      if (this.#state.player.atUs !== player.atUs) return
      const late = this.#tape?.frameAt(player.atUs)
      if (late !== undefined) this.#put(late.seq, undefined)
    })
  }

  #step(by: 1 | -1): void {
    const { player, cursor } = this.#state
    this.#set({ tailing: false, player: player.playing ? play(player, { move: 'toggle' }) : player })
    const seqs = this.#tape?.found?.seqs
    const at = seqs === undefined ? -1 : lastAtMost(seqs, (seq) => seq, cursor)
    const next = seqs === undefined ? cursor + by : by === 1 ? seqs[at + 1] : seqs[seqs[at] === cursor ? at - 1 : at]
    if (next !== undefined) this.#goTo(next)
  }

  #toStatement(by: 1 | -1, marked: boolean): void {
    const { cursor } = this.#state
    const wanted = (this.#feed?.statements ?? []).filter(({ verdict }) => !marked || (verdict !== null && verdict !== 'allow'))
    const next = by === 1 ? wanted.find(({ frame }) => frame > cursor) : wanted.findLast(({ frame }) => frame < cursor)
    this.#set({ tailing: false })
    if (next !== undefined) this.#goTo(next.frame)
  }

  #toggle(): void {
    const player = play(this.#state.player, { move: 'toggle' })
    this.#set({ player, tailing: false })
    if (!player.playing) this.#tellAddress()
    else {
      this.#tickedMs = performance.now()
      requestAnimationFrame(this.#tick)
    }
  }

  readonly #tick = (nowMs: number): void => {
    const { player, cursor } = this.#state
    if (!player.playing || !this.isConnected) return
    const realUs = Math.max(0, nowMs - this.#tickedMs) * 1000
    this.#tickedMs = nowMs
    const next = this.#tape?.frame(cursor + 1)
    const moved = play(player, { move: 'tick', realUs, ...(next === undefined ? {} : { nextUs: next.atUs }) })
    this.#set({ player: moved })
    this.#seek(moved.atUs)
    requestAnimationFrame(this.#tick)
  }

  #find(search: string): void {
    const parsed = parseFilter(search)
    if (parsed.ok) this.#tape?.find(parsed.empty ? null : parsed.filter)
    this.#set({ search, searchWrong: parsed.ok ? '' : parsed.what })
  }

  async #copy(): Promise<void> {
    await navigator.clipboard.writeText(new URL(this.#path, location.href).href)
    this.#set({ copied: true })
    setTimeout(() => this.#set({ copied: false }), COPIED_MS)
  }

  async #kill(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const reason = String(new FormData(event.target).get('reason') ?? '').trim()
    if (reason === '') return
    this.#set({ kill: { busy: true, problem: '' } })
    try {
      await this.api.kill(this.session, { reason })
      this.#set({ kill: undefined })
    } catch (error) {
      this.#set({ kill: { busy: false, problem: messageOf(error) } })
    }
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#tape?.map === undefined) return
    const { target } = event
    const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
    if (typing && event.key === 'Escape') {
      this.#find('')
      target.blur()
      return
    }
    if (typing || this.querySelector('dialog') !== null) return
    const command = commandOf(event.key)
    // A button that has the focus is pressed with the space bar, as everywhere.
    if (command === undefined || (command.do === 'toggle' && target instanceof HTMLButtonElement)) return
    event.preventDefault()
    this.#do(command)
  }

  #do(command: KeyCommand): void {
    const { player, span, pane, search } = this.#state
    switch (command.do) {
      case 'toggle':
        this.#toggle()
        break
      case 'step':
        this.#step(command.by)
        break
      case 'skip':
        this.#seek(player.atUs + command.us)
        break
      case 'statement':
        this.#toStatement(command.by, command.marked)
        break
      case 'part':
        this.#seek(player.durationUs * command.of)
        break
      case 'edge':
        this.#set({ tailing: false })
        this.#goTo(command.at === 'start' ? 0 : this.#lastFrame)
        break
      case 'speed':
        this.#set({ player: play(player, { move: 'speed', by: command.by }) })
        break
      case 'zoom':
        this.#set({ span: zoomed(span ?? { fromUs: 0, toUs: 1 }, player.durationUs, command.by, player.atUs) })
        break
      case 'search':
        this.querySelector<HTMLInputElement>('#frame-search')?.focus()
        break
      case 'help':
        this.#set({ help: true })
        break
      case 'copy':
        void this.#copy()
        break
      case 'pane':
        this.#set({ pane: pane === 'content' ? 'bytes' : 'content' })
        break
      case 'close':
        if (search !== '') this.#find('')
        break
      default:
        command satisfies never
    }
  }

  readonly #acts: ReplayActs = {
    onRetry: () => void this.#open(),
    onSeek: (atUs) => this.#seek(atUs),
    onPlay: () => this.#toggle(),
    onStep: (by) => this.#step(by),
    onSpeed: (by) => this.#do({ do: 'speed', by }),
    onTail: () => {
      this.#set({ tailing: !this.#state.tailing })
      if (this.#state.tailing) this.#goTo(this.#lastFrame)
    },
    onHelp: (help) => this.#set({ help }),
    onPane: (pane) => this.#set({ pane }),
    onRow: (row) => this.#goTo(this.#state.cursor, row),
    onCell: (cell) => this.#set({ cell }),
    onSelect: (selection) => this.#set({ selection }),
    onVerify: () => void this.#verify(),
    onCopy: () => void this.#copy(),
    onKill: (open) => this.#set({ kill: open ? { busy: false, problem: '' } : undefined }),
    onKillSubmit: (event) => void this.#kill(event),
    onSearch: (text) => this.#find(text),
    onFrame: (seq) => {
      this.#set({ tailing: false })
      this.#goTo(seq)
    },
  }

  /** Kept, as a page of rows takes a while to decode. */
  #show(cursor: number): ShownFrame | undefined {
    if (this.#shown?.seq !== cursor || this.#shown.missing) this.#shown = shownAt(cursor, this.#feed, this.#tape)
    return this.#shown
  }
}
customElements.define('replay-page', ReplayPage)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
