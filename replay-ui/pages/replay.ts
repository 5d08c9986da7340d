import { LitElement, type TemplateResult } from 'lit'
import type { ServerEvent, SessionDetail, StatementRow } from '../../schemas/api.ts'
import { type Api, ApiError } from '../data/api.ts'
import { dissect, maskMarks } from '../data/dissect.ts'
import { parseFilter } from '../data/filter.ts'
import { type Player, play, STOPPED } from '../data/player.ts'
import { type Content, showFrame } from '../data/shown.ts'
import { Tape, type TapeWorker } from '../data/tape.ts'
import { chunkOfFrame, lastAtMost } from '../data/tape-map.ts'
import { following, type Span, zoomed } from '../elements/time-line-layout.ts'
import { type FramePlace, replayPath } from '../router.ts'
import type { Pane, Selection } from './replay-inspector.ts'
import { commandOf, type KeyCommand } from './replay-keys.ts'
import { type ReplayInput, view } from './replay-view.ts'

/** Asked for at once, and then on in the background. */
const STATEMENTS_AT_ONCE = 1000
/** Statements kept for the list; a session with more is searched and not scrolled. */
const MAX_STATEMENTS = 50_000
/** A growing tape is verified again this long after the last time. */
const VERIFY_AGAIN_MS = 15_000
const COPIED_MS = 2_000
/** The address follows the cursor; browsers take only so many changes. */
const ADDRESS_MS = 300
/** Frames looked back for the command a reply belongs to, before the statement list is asked. */
const MAX_LOOK_BACK = 400

interface ShownFrame {
  readonly seq: number
  readonly missing: boolean
  readonly contents: readonly Content[]
}

export class ReplayPage extends LitElement {
  static override properties = { api: { attribute: false }, session: { attribute: false }, place: { attribute: false } }
  declare api: Api
  declare session: string
  declare place: FramePlace | undefined
  #state: ReplayInput['state'] = 'loading'
  #problem = ''
  #detail: SessionDetail | undefined
  #tape: Tape | undefined
  #statements: StatementRow[] = []
  #statementsState: 'loading' | 'here' | 'failed' = 'loading'
  #statementsProblem = ''
  #player: Player = STOPPED
  #cursor = 0
  #row: number | undefined
  #pane: Pane = 'content'
  #selection: Selection | undefined
  #cell: { readonly row: number; readonly column: number } | undefined
  #search = ''
  #searchWrong = ''
  #span: Span | undefined
  #tail: 'off' | 'up' | 'down' = 'off'
  #tailing = false
  #help = false
  #kill: { readonly busy: boolean; readonly problem: string } | undefined
  #copied = false
  #placed = false
  #gone = new AbortController()
  #tickedMs = 0
  #verifiedMs = 0
  #trust: Awaited<ReturnType<Api['trust']>> | undefined
  #address: ReturnType<typeof setTimeout> | undefined
  #shown: ShownFrame | undefined

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
    clearTimeout(this.#address)
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('session')) void this.#open()
    else if (changed.has('place') && this.place !== undefined) this.#goTo(this.place.frame, this.place.row)
  }

  protected override updated(): void {
    for (const dialog of this.querySelectorAll('dialog')) if (!dialog.open) dialog.showModal()
    performance.mark('replay-updated')
  }

  async #open(): Promise<void> {
    this.#tape?.close()
    this.#state = 'loading'
    this.requestUpdate()
    const { signal } = this.#gone
    const worker: TapeWorker = new Worker(new URL('../data/verify.worker.ts', import.meta.url), { type: 'module' })
    const tape = new Tape(worker, () => this.#tapeChanged())
    this.#tape = tape
    tape.open(this.session, location.origin, 'console replay')
    try {
      // The tape, the session and its statements are asked for together: none needs another.
      const [detail] = await Promise.all([this.api.session(this.session, signal), this.#loadStatements(signal)])
      this.#detail = detail
      this.#state = detail.may.read ? 'here' : 'forbidden'
      document.title = `${detail.identity.subject} → ${detail.target.name} · Sallyport`
      if (detail.state === 'live' && detail.may.read) this.#follow()
    } catch (error) {
      if (signal.aborted) return
      this.#fail(error)
    }
    this.requestUpdate()
  }

  #fail(error: unknown): void {
    this.#state = 'failed'
    const missing = error instanceof ApiError && error.status === 404
    this.#problem = missing
      ? `There is no session ${this.session}, or it is not yours to see.`
      : error instanceof Error
        ? error.message
        : String(error)
  }

  async #loadStatements(signal: AbortSignal, fromFrame?: number): Promise<void> {
    try {
      let cursor: string | null = null
      do {
        const query = {
          limit: STATEMENTS_AT_ONCE,
          ...(cursor === null ? {} : { cursor }),
          ...(fromFrame === undefined ? {} : { fromFrame }),
        }
        const page: Awaited<ReturnType<Api['statements']>> = await this.api.statements(this.session, query, signal)
        const kept: StatementRow[] =
          cursor === null
            ? fromFrame === undefined
              ? []
              : this.#statements.filter(({ frame }) => frame < fromFrame)
            : this.#statements
        this.#statements = [...kept, ...page.statements]
        cursor = page.next
        this.requestUpdate()
      } while (cursor !== null && this.#statements.length < MAX_STATEMENTS)
      this.#statementsState = 'here'
    } catch (error) {
      if (signal.aborted) return
      this.#statementsState = 'failed'
      this.#statementsProblem = error instanceof Error ? error.message : String(error)
    }
    this.requestUpdate()
  }

  #tapeChanged(): void {
    const tape = this.#tape
    if (tape === undefined) return
    if (tape.failed !== undefined && tape.map === undefined && this.#state !== 'forbidden') {
      if (this.#detail?.may.read !== false) this.#fail(new Error(tape.failed.what))
    }
    if (tape.map !== undefined) {
      if (this.#player.durationUs !== tape.map.durationUs) this.#grown(tape.map.durationUs)
      if (!this.#placed) {
        this.#placed = true
        performance.mark('replay-index')
        this.#goTo(this.place?.frame ?? 0, this.place?.row)
        void this.#verify()
      }
    }
    this.requestUpdate()
  }

  #grown(durationUs: number): void {
    const before = this.#player.durationUs
    this.#player = play(this.#player, { move: 'grown', durationUs })
    // Everything was in sight, and is again.
    if (this.#span === undefined || this.#span.toUs - this.#span.fromUs >= before)
      this.#span = { fromUs: 0, toUs: Math.max(1, durationUs) }
    if (this.#tailing) this.#goTo((this.#tape?.map?.frameCount ?? 1) - 1)
  }

  async #verify(): Promise<void> {
    this.#verifiedMs = performance.now()
    try {
      this.#trust ??= await this.api.trust(this.#gone.signal)
      this.#tape?.verify(this.#trust)
    } catch (error) {
      if (this.#gone.signal.aborted || this.#tape === undefined) return
      this.#tape.unverified = error instanceof Error ? error.message : String(error)
    }
    this.requestUpdate()
  }

  #follow(): void {
    this.#tail = 'up'
    this.#tailing = this.place === undefined
    const ended = new AbortController()
    this.#gone.signal.addEventListener('abort', () => ended.abort(), { once: true })
    const heard = (event: ServerEvent): void => this.#heard(event, ended)
    this.api.events(
      { session: this.session },
      heard,
      (up) => {
        this.#tail = up ? 'up' : 'down'
        this.requestUpdate()
      },
      ended.signal,
    )
  }

  #heard({ event, data }: ServerEvent, ended: AbortController): void {
    if (this.#detail === undefined || (event !== 'progress' && event !== 'closed')) return
    if (event === 'closed') {
      ended.abort()
      this.#tail = 'off'
      this.#tailing = false
      this.#detail = { ...this.#detail, ...data }
      void this.#sealed()
    } else {
      const { state, frames, durationUs, statements, rows, bytesOut, masked, verdicts } = data
      this.#detail = { ...this.#detail, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts }
      this.#tape?.grow(data.objects)
      // The last statement may have gone on, and others have come.
      void this.#loadStatements(this.#gone.signal, this.#statements.at(-1)?.frame ?? 0)
      if (performance.now() - this.#verifiedMs > VERIFY_AGAIN_MS) void this.#verify()
    }
    this.requestUpdate()
  }

  async #sealed(): Promise<void> {
    const { objects } = await this.api.objects(this.session, this.#gone.signal)
    this.#tape?.grow(objects)
    await this.#loadStatements(this.#gone.signal)
    await this.#verify()
  }

  #goTo(seq: number, row?: number): void {
    const count = this.#tape?.map?.frameCount ?? 0
    const target = Math.max(0, Math.min(seq, count - 1))
    if (target !== this.#cursor || row !== this.#row) {
      this.#selection = undefined
      this.#cell = undefined
    }
    this.#cursor = target
    this.#row = row
    this.#tape?.ahead(target)
    void this.#tape?.whenFrame(target).then((frame) => {
      if (frame === undefined || this.#cursor !== target) return
      if (!this.#player.playing) this.#player = play(this.#player, { move: 'to', atUs: frame.atUs })
      this.#span = following(this.#span ?? { fromUs: 0, toUs: this.#player.durationUs }, frame.atUs)
      this.requestUpdate()
    })
    clearTimeout(this.#address)
    this.#address = setTimeout(() => this.#tellAddress(), ADDRESS_MS)
    this.requestUpdate()
  }

  #tellAddress(): void {
    if (!this.isConnected || this.#player.playing || this.#tailing) return
    const path = replayPath(this.session, { frame: this.#cursor, ...(this.#row === undefined ? {} : { row: this.#row }) })
    history.replaceState(null, '', path)
  }

  #seek(atUs: number): void {
    this.#tailing = false
    this.#player = play(this.#player, { move: 'to', atUs })
    this.#moved()
  }

  /** The playhead has moved: the cursor follows, now or when the chunk has come. */
  #moved(): void {
    const { atUs } = this.#player
    this.#span = following(this.#span ?? { fromUs: 0, toUs: this.#player.durationUs }, atUs)
    const frame = this.#tape?.frameAt(atUs)
    if (frame !== undefined) this.#setCursor(frame.seq)
    else {
      const map = this.#tape?.map
      const chunk = map?.chunks[lastAtMost(map.chunks, (one) => one.firstUs, atUs)]
      if (chunk !== undefined)
        void this.#tape?.whenFrame(chunk.firstSeq).then(() => {
          const found = this.#player.atUs === atUs ? this.#tape?.frameAt(atUs) : undefined
          if (found !== undefined) this.#setCursor(found.seq)
        })
    }
    this.requestUpdate()
  }

  #setCursor(seq: number): void {
    if (seq === this.#cursor) return
    this.#cursor = seq
    this.#row = undefined
    this.#selection = undefined
    this.#cell = undefined
    this.#tape?.ahead(seq)
    clearTimeout(this.#address)
    this.#address = setTimeout(() => this.#tellAddress(), ADDRESS_MS)
    this.requestUpdate()
  }

  #step(by: 1 | -1): void {
    this.#tailing = false
    if (this.#player.playing) this.#player = play(this.#player, { move: 'toggle' })
    const seqs = this.#tape?.found?.seqs
    if (seqs === undefined) return this.#goTo(this.#cursor + by)
    const at = lastAtMost(seqs, (seq) => seq, this.#cursor)
    const next = by === 1 ? seqs[at + 1] : seqs[seqs[at] === this.#cursor ? at - 1 : at]
    if (next !== undefined) this.#goTo(next)
  }

  #toStatement(by: 1 | -1, marked: boolean): void {
    const wanted = this.#statements.filter(({ verdict }) => !marked || (verdict !== null && verdict !== 'allow'))
    const next =
      by === 1 ? wanted.find(({ frame }) => frame > this.#cursor) : wanted.findLast(({ frame }) => frame < this.#cursor)
    if (next !== undefined) this.#goTo(next.frame)
  }

  #toggle(): void {
    this.#tailing = false
    this.#player = play(this.#player, { move: 'toggle' })
    if (this.#player.playing) {
      this.#tickedMs = performance.now()
      requestAnimationFrame(this.#tick)
    } else this.#tellAddress()
    this.requestUpdate()
  }

  readonly #tick = (nowMs: number): void => {
    if (!this.#player.playing || !this.isConnected) return
    const realUs = Math.max(0, nowMs - this.#tickedMs) * 1000
    this.#tickedMs = nowMs
    const next = this.#tape?.frame(this.#cursor + 1)
    this.#player = play(this.#player, { move: 'tick', realUs, ...(next === undefined ? {} : { nextUs: next.atUs }) })
    this.#moved()
    requestAnimationFrame(this.#tick)
  }

  #find(text: string): void {
    this.#search = text
    const parsed = parseFilter(text)
    this.#searchWrong = parsed.ok ? '' : parsed.what
    if (parsed.ok) this.#tape?.find(parsed.empty ? null : parsed.filter)
    this.requestUpdate()
  }

  async #copy(): Promise<void> {
    const place = { frame: this.#cursor, ...(this.#row === undefined ? {} : { row: this.#row }) }
    const link = new URL(replayPath(this.session, place), location.origin).href
    await navigator.clipboard.writeText(link)
    this.#copied = true
    this.requestUpdate()
    setTimeout(() => {
      this.#copied = false
      this.requestUpdate()
    }, COPIED_MS)
  }

  async #end(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const reason = String(new FormData(event.target).get('reason') ?? '').trim()
    if (reason === '') return
    this.#kill = { busy: true, problem: '' }
    this.requestUpdate()
    try {
      await this.api.kill(this.session, { reason })
      this.#kill = undefined
    } catch (error) {
      this.#kill = { busy: false, problem: error instanceof Error ? error.message : String(error) }
    }
    this.requestUpdate()
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#tape?.map === undefined) return
    const target = event.target
    const typing =
      target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
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
    switch (command.do) {
      case 'toggle':
        return this.#toggle()
      case 'step':
        return this.#step(command.by)
      case 'skip':
        return this.#seek(this.#player.atUs + command.us)
      case 'statement':
        return this.#toStatement(command.by, command.marked)
      case 'part':
        return this.#seek(this.#player.durationUs * command.of)
      case 'edge':
        return this.#goTo(command.at === 'start' ? 0 : (this.#tape?.map?.frameCount ?? 1) - 1)
      case 'speed':
        this.#player = play(this.#player, { move: 'speed', by: command.by })
        return this.requestUpdate()
      case 'zoom':
        this.#span = zoomed(this.#span ?? { fromUs: 0, toUs: 1 }, this.#player.durationUs, command.by, this.#player.atUs)
        return this.requestUpdate()
      case 'search':
        this.querySelector<HTMLInputElement>('#frame-search')?.focus()
        return
      case 'help':
        this.#help = true
        return this.requestUpdate()
      case 'copy':
        void this.#copy()
        return
      case 'pane':
        this.#pane = this.#pane === 'content' ? 'bytes' : 'content'
        return this.requestUpdate()
      case 'close':
        if (this.#search !== '') this.#find('')
        return
      default:
        command satisfies never
    }
  }

  protected override render(): TemplateResult {
    return view(this.#input())
  }

  #input(): ReplayInput {
    const tape = this.#tape
    const frame = tape?.frame(this.#cursor)
    const loaded = tape?.map === undefined || tape.map.frameCount === 0 ? undefined : tape.chunkWith(this.#cursor)
    const protocol = this.#detail?.target.protocol ?? 'postgres'
    const shown = this.#show()
    const recovered = (seq: number): boolean => {
      const map = tape?.map
      return map !== undefined && (map.chunks[chunkOfFrame(map, seq)]?.recovered ?? false)
    }
    const detail = this.#detail
    return {
      id: this.session,
      state: this.#state,
      problem: this.#problem,
      head:
        detail === undefined
          ? undefined
          : {
              detail,
              tail: this.#tail,
              copied: this.#copied,
              integrity: {
                verification: tape?.verification,
                unverified: tape?.unverified,
                checkedChunks: tape?.checked.length ?? 0,
                chunks: tape?.map?.chunks.length ?? 0,
                live: detail.state === 'live',
                tookMs: tape?.verifiedInMs ?? 0,
                onAgain: () => void this.#verify(),
              },
              onKill: () => {
                this.#kill = { busy: false, problem: '' }
                this.requestUpdate()
              },
              onCopy: () => void this.#copy(),
            },
      map: tape?.map,
      player: this.#player,
      cursor: this.#cursor,
      tailing: this.#tailing,
      span: this.#span ?? { fromUs: 0, toUs: 1 },
      checked: tape?.checked ?? [],
      checkedCount: (tape?.checked.length ?? 0) + (tape?.verification === undefined ? 0 : 1),
      statements: {
        statements: this.#statements,
        current: lastAtMost(this.#statements, (one) => one.frame, this.#cursor),
        state: this.#statementsState,
        problem: this.#statementsProblem,
        onPick: (statement) => this.#goTo(statement.frame),
      },
      frames: {
        protocol,
        frameCount: tape?.map?.frameCount ?? 0,
        cursor: this.#cursor,
        search: this.#search,
        searchWrong: this.#searchWrong,
        found: tape?.found,
        loadedOf: (seq) => tape?.chunkWith(seq),
        frameOf: (seq) => tape?.frame(seq),
        recovered,
        follow: this.#tailing,
        onSearch: (text) => this.#find(text),
        onPick: (seq) => {
          this.#tailing = false
          this.#goTo(seq)
        },
      },
      inspector: {
        frame,
        instead:
          loaded?.state === 'damage'
            ? { kind: 'gap', what: `This part of the tape cannot be read: ${loaded.what}. Frames before and after it can.` }
            : loaded === undefined && (tape?.map?.frameCount ?? 0) > 0
              ? { kind: 'gap', what: `Frame ${this.#cursor} is missing from the tape.` }
              : {
                  kind: 'loading',
                  what: (tape?.map?.frameCount ?? 0) === 0 ? 'Nothing is recorded yet.' : 'Fetching the frame …',
                },
        recovered: recovered(this.#cursor),
        pane: this.#pane,
        contents: shown?.contents ?? [],
        missing: shown?.missing ?? false,
        row: this.#row,
        fields: frame === undefined || this.#pane !== 'bytes' ? [] : dissect(protocol, frame),
        marks: frame === undefined ? [] : maskMarks(frame),
        selection: this.#selection,
        cell: this.#cell,
        onPane: (pane) => {
          this.#pane = pane
          this.requestUpdate()
        },
        onRow: (row) => this.#goTo(this.#cursor, row),
        onCell: (cell) => {
          this.#cell = cell
          this.requestUpdate()
        },
        onSelect: (selection) => {
          this.#selection = selection
          this.requestUpdate()
        },
        onApproval: (id) => `/approvals/${encodeURIComponent(id)}`,
      },
      help: this.#help,
      kill:
        this.#kill === undefined
          ? undefined
          : {
              ...this.#kill,
              onSubmit: (event) => void this.#end(event),
              onClose: () => {
                this.#kill = undefined
                this.requestUpdate()
              },
            },
      onRetry: () => void this.#open(),
      onSeek: (atUs) => this.#seek(atUs),
      onPlay: () => this.#toggle(),
      onStep: (by) => this.#step(by),
      onSpeed: (by) => this.#do({ do: 'speed', by }),
      onTail: () => {
        this.#tailing = !this.#tailing
        if (this.#tailing) this.#goTo((tape?.map?.frameCount ?? 1) - 1)
        this.requestUpdate()
      },
      onHelp: (open) => {
        this.#help = open
        this.requestUpdate()
      },
    }
  }

  /** What the frame at the cursor shows; kept, as a page of rows takes a while to decode. */
  #show(): ShownFrame | undefined {
    const tape = this.#tape
    const frame = tape?.frame(this.#cursor)
    if (tape === undefined || frame === undefined || this.#detail === undefined) return undefined
    if (this.#shown?.seq === frame.seq && !this.#shown.missing) return this.#shown
    const { protocol } = this.#detail.target
    this.#shown = { seq: frame.seq, ...showFrame(protocol, frame, this.#commandOf(frame.seq), (seq) => tape.frame(seq)) }
    return this.#shown
  }

  /** The frame of the command that frame `seq` answers: the nearest one from the client, or the statement's. */
  #commandOf(seq: number): number | undefined {
    const first = this.#tape?.map?.chunks[chunkOfFrame(this.#tape.map, seq)]?.firstSeq ?? seq
    for (let back = seq; back >= Math.max(first, seq - MAX_LOOK_BACK); back -= 1)
      if (this.#tape?.frame(back)?.dir === 'in') return back
    return this.#statements[lastAtMost(this.#statements, (one) => one.frame, seq)]?.frame
  }
}
customElements.define('replay-page', ReplayPage)
