import { LitElement, type TemplateResult } from 'lit'
import type { SessionDetail, SessionProgress } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { ApiError } from '../data/api.ts'
import { parseFilter } from '../data/filter.ts'
import { play } from '../data/player.ts'
import { SessionFeed } from '../data/session-feed.ts'
import { Tape } from '../data/tape.ts'
import { Terminals } from '../data/terminals.ts'
import { zoomed } from '../elements/time-line-layout.ts'
import type { FramePlace } from '../router.ts'
import type { ReplayBookmarks } from './replay-bookmarks.ts'
import { TapeChecks } from './replay-checks.ts'
import { ReplayCursor } from './replay-cursor.ts'
import { ExchangeLooks } from './replay-exchanges.ts'
import { inputOf, type ReplayActs, type ReplayState, type ShownFrame, shownAt, shownView } from './replay-input.ts'
import { commandFor, type KeyCommand } from './replay-keys.ts'
import { AT_START, type ReplayApi, type ReplaySetting } from './replay-setting.ts'
import { view } from './replay-view.ts'

const COPIED_MS = 2_000

/** Why the recording is read, as the ledger notes it. */
const PURPOSE = 'console replay'

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
  #cursor = this.#newCursor()
  #looks = new ExchangeLooks()
  #gone = new AbortController()
  /** What is asked for the session that is open. */
  #opening = new AbortController()
  #checks: TapeChecks | undefined
  /** Frames there were when exchanges were asked for last. */
  #listed = -1

  #newCursor(): ReplayCursor {
    const page = this
    return new ReplayCursor({
      get state() {
        return page.#state
      },
      get tape() {
        return page.#tape
      },
      get feed() {
        return page.#feed
      },
      get isConnected() {
        return page.isConnected
      },
      set: (change) => page.#set(change),
      redraw: () => page.requestUpdate(),
      placed: () => page.#tellAddress(),
    })
  }

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
    this.#opening.abort()
    this.#tape?.close()
    this.#terminals?.close()
    this.#cursor.close()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('session')) void this.#open()
    else if (changed.has('place') && this.place !== undefined) this.#cursor.goTo(this.place.frame, this.place.row)
  }

  protected override updated(): void {
    // Once: one that was closed stays in the page until its event has come, and is not opened again by a redraw before that.
    for (const dialog of this.querySelectorAll<HTMLDialogElement>('dialog[data-open]')) {
      dialog.removeAttribute('data-open')
      dialog.showModal()
    }
  }

  protected override render(): TemplateResult {
    const state = this.#cursor.patient()
    return view(
      inputOf(
        state,
        this.#feed,
        this.#tape,
        this.#frameShown(state.cursor),
        this.#terminals,
        this.#looks,
        this.setting.desk,
        this.#acts,
      ),
    )
  }

  #set(change: Partial<ReplayState>): void {
    this.#state = { ...this.#state, ...change }
    this.requestUpdate()
  }

  async #open(): Promise<void> {
    this.#opening.abort()
    this.#opening = new AbortController()
    const { signal } = this.#opening
    this.#tape?.close()
    this.#terminals?.close()
    this.#state = { ...AT_START, session: this.session }
    this.#placed = false
    this.#listed = -1
    this.#cursor.close()
    this.#cursor = this.#newCursor()
    this.#looks = new ExchangeLooks()
    const { newTapeWorker, newTerminalWorker, blobsOf } = this.setting
    const blobs = blobsOf?.(this.session)
    const tape = new Tape(newTapeWorker, () => this.#tapeChanged())
    this.#tape = tape
    this.#checks = new TapeChecks(this.api, this.session, tape, signal, () => this.requestUpdate())
    // The tape, the session and its statements are asked for together: none needs another.
    tape.open(this.session, location.origin, PURPOSE, blobs)
    this.#terminals = new Terminals(
      newTerminalWorker,
      { id: this.session, origin: location.origin, purpose: PURPOSE, ...(blobs === undefined ? {} : { blobs }) },
      () => this.requestUpdate(),
      (seq) => this.#acts.onFrame(seq),
    )
    const listener = {
      changed: () => this.requestUpdate(),
      grown: (progress: SessionProgress) => this.#grew(progress),
      ended: () => void this.#ended(),
    }
    this.#feed = new SessionFeed(this.api, this.session, listener, signal)
    try {
      const detail = await this.#feed.open()
      if (!signal.aborted) this.#opened(detail)
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
    }
  }

  #opened({ identity, target, state, may }: SessionDetail): void {
    document.title = `${safeText(identity.subject)} → ${safeText(target.name)} · Sallyport`
    const failed = may.read ? this.#tape?.failed : undefined
    if (failed !== undefined) this.#fail(new Error(failed.what))
    else {
      const tailing = state === 'live' && may.read && this.place === undefined
      this.#set({ page: may.read ? 'here' : 'forbidden', tailing })
      this.#list()
      // The tape may have been there first.
      if (tailing && this.#placed) this.#cursor.goTo(this.#cursor.lastFrame)
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
        const first = this.place?.frame ?? (this.#state.tailing ? this.#cursor.lastFrame : 0)
        this.#cursor.goTo(first, this.place?.row)
        // What is looked at first comes first.
        void tape.whenFrame(Math.min(first, map.frameCount - 1)).then(() => this.#checks?.verify())
      }
    }
    this.#checks?.note(this.setting.desk)
    this.#list()
    this.#cursor.arrive()
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
    if (tailing) this.#cursor.goTo(this.#cursor.lastFrame)
  }

  #grew({ objects }: SessionProgress): void {
    this.#tape?.grow(objects)
    this.#checks?.grown()
  }

  async #ended(): Promise<void> {
    this.#set({ tailing: false })
    await this.#checks?.ended()
  }

  #tellAddress(): void {
    if (!this.isConnected || this.#state.player.playing || this.#state.tailing) return
    history.replaceState(null, '', this.#path)
  }

  get #path(): string {
    const { cursor, row } = this.#state
    return this.setting.pathOf(this.session, { frame: cursor, ...(row === undefined ? {} : { row }) })
  }

  #find(search: string): void {
    const parsed = parseFilter(search)
    if (parsed.ok) this.#tape?.find(parsed.empty ? null : parsed.filter)
    this.#set({ search, searchWrong: parsed.ok ? '' : parsed.what })
  }

  #filterExchanges(exchangeFilter: string): void {
    this.#set({ exchangeFilter })
  }

  #show(view: 'frames' | 'exchanges'): void {
    this.#set({ view })
    this.#list()
  }

  /** Exchanges, where they are looked at: those that were not put together yet. */
  #list(): void {
    const [detail, map] = [this.#feed?.detail, this.#tape?.map]
    if (detail === undefined || map === undefined || shownView(this.#state, this.#feed) !== 'exchanges') return
    if (this.#listed === map.frameCount) return
    this.#listed = map.frameCount
    this.#tape?.listExchanges(detail.target.protocol, detail.target.name)
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
    const { signal } = this.#opening
    this.#set({ kill: { busy: true, problem: '' } })
    try {
      await this.api.kill(this.session, { reason })
      if (!signal.aborted) this.#set({ kill: undefined })
    } catch (error) {
      if (!signal.aborted) this.#set({ kill: { busy: false, problem: messageOf(error) } })
    }
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (this.#tape?.map === undefined) return
    // Escape closes what stands open over the page; taking it would leave that open.
    if (event.key === 'Escape' && this.querySelector('[popover]:popover-open') !== null) return
    const command = commandFor(event, this.querySelector('dialog[open]') !== null)
    if (command === undefined) return
    event.preventDefault()
    this.#do(command)
  }

  #do(command: KeyCommand): void {
    const { player, span, pane, search } = this.#state
    switch (command.do) {
      case 'toggle':
        this.#cursor.toggle()
        break
      case 'step':
        this.#cursor.step(command.by)
        break
      case 'skip':
        this.#cursor.seek(player.atUs + command.us)
        break
      case 'statement':
        this.#cursor.toStatement(command.by, command.marked)
        break
      case 'part':
        this.#cursor.seek(player.durationUs * command.of)
        break
      case 'edge':
        this.#set({ tailing: false })
        this.#cursor.goTo(command.at === 'start' ? 0 : this.#cursor.lastFrame)
        break
      case 'speed':
        this.#set({ player: play(player, { move: 'speed', by: command.by }) })
        break
      case 'zoom':
        this.#set({ span: zoomed(span ?? { fromUs: 0, toUs: 1 }, player.durationUs, command.by, player.atUs) })
        break
      case 'search':
        this.querySelector<HTMLInputElement>('#frame-search, #exchange-filter')?.focus()
        break
      case 'screen-search':
        this.querySelector<HTMLInputElement>('#screen-search')?.focus()
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
      case 'leave':
        if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
        this.#filterExchanges('')
        this.#find('')
        break
      case 'close':
        if (search !== '') this.#find('')
        break
      case 'bookmark':
        this.querySelector<ReplayBookmarks>('replay-bookmarks')?.add()
        break
      case 'view':
        this.#show(shownView(this.#state, this.#feed) === 'frames' ? 'exchanges' : 'frames')
        break
      default:
        command satisfies never
    }
  }

  readonly #acts: ReplayActs = {
    onRetry: () => void this.#open(),
    onSeek: (atUs) => this.#cursor.seek(atUs),
    onPlay: () => this.#cursor.toggle(),
    onStep: (by) => this.#cursor.step(by),
    onSpeed: (by) => this.#do({ do: 'speed', by }),
    onTail: () => {
      this.#set({ tailing: !this.#state.tailing })
      if (this.#state.tailing) this.#cursor.goTo(this.#cursor.lastFrame)
    },
    onHelp: (help) => this.#set({ help }),
    onPane: (pane) => this.#set({ pane }),
    onRow: (row) => this.#cursor.goTo(this.#state.cursor, row),
    onCell: (cell) => this.#set({ cell }),
    onSelect: (selection) => this.#set({ selection }),
    onVerify: () => void this.#checks?.verify(),
    onCopy: () => void this.#copy(),
    onKill: (open) => this.#set({ kill: open ? { busy: false, problem: '' } : undefined }),
    onKillSubmit: (event) => void this.#kill(event),
    onSearch: (text) => this.#find(text),
    onView: (shown) => this.#show(shown),
    onExchangeFilter: (text) => this.#filterExchanges(text),
    onScreenSearch: (text, way) => this.#terminals?.find(text, way),
    onFrame: (seq) => {
      this.#set({ tailing: false })
      this.#cursor.goTo(seq)
    },
  }

  /** Kept, as a page of rows takes a while to decode. */
  #frameShown(cursor: number): ShownFrame | undefined {
    if (this.#shown?.seq !== cursor || this.#shown.missing) this.#shown = shownAt(cursor, this.#feed, this.#tape)
    return this.#shown
  }
}
customElements.define('replay-page', ReplayPage)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
