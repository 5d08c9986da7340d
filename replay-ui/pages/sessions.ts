import { LitElement, type TemplateResult } from 'lit'
import type { CatalogLag, ServerEvent, SessionRow } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import type { Live } from '../data/live.ts'
import { parseSessionFilter } from '../data/session-filter.ts'
import { Question } from '../elements/question.ts'
import type { VirtualList } from '../elements/virtual-list.ts'
import { view } from './sessions-view.ts'

const PAGE_SIZE = 100
/** Rows before the end at which the next page is asked for. */
const NEAR_END = 30
/** News of one session come many a second; the list is asked for again at most this often. */
const REFRESH_MS = 500
/** Until what the catalog still reads of older tapes is asked for again: of those there is no news. */
const BACKFILL_MS = 1_500
/** How long ago something was is told to the second at first, and to the minute soon. */
const CLOCK_MS = 5_000

/** Wants another filter in the address. */
export class FilterEvent extends Event {
  readonly filter: string

  constructor(filter: string) {
    super('filter', { bubbles: true })
    this.filter = filter
  }
}

export class SessionsPage extends LitElement {
  static override properties = { api: { attribute: false }, live: { attribute: false }, filter: { attribute: false } }
  declare api: Api
  declare live: Live
  declare filter: string
  #rows: SessionRow[] = []
  #next: string | null = null
  readonly #list = new Question(this)
  #wrong = ''
  #lag: CatalogLag | null = null
  #gone = new AbortController()
  #refresh: ReturnType<typeof setTimeout> | undefined
  #clock: ReturnType<typeof setInterval> | undefined
  readonly #newer = new Set<string>()
  /** Rows that were put before the first since the list was drawn. */
  #prepended = 0

  constructor() {
    super()
    this.filter = ''
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
    this.live.listen((event) => this.#heard(event), this.#gone.signal)
    this.#clock = setInterval(() => this.requestUpdate(), CLOCK_MS)
    addEventListener('keydown', this.#pressed, { signal: this.#gone.signal })
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
    clearTimeout(this.#refresh)
    clearInterval(this.#clock)
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('filter')) {
      this.#rows = []
      void this.#load()
    }
  }

  protected override render(): TemplateResult {
    return view({
      api: this.api,
      filter: this.filter,
      wrong: this.#wrong,
      rows: this.#rows,
      more: this.#next !== null,
      newer: this.#newer.size,
      asked: this.#list,
      lag: this.#lag,
      nowMs: Date.now(),
      onFilter: (filter) => this.dispatchEvent(new FilterEvent(filter)),
      onRetry: () => void this.#load(),
      onNewer: () => void this.#load(),
      onSeen: (index) => {
        if (index >= this.#rows.length - NEAR_END && this.#next !== null && this.#list.state === 'here')
          void this.#load(this.#next)
      },
    })
  }

  protected override updated(): void {
    if (this.#prepended === 0) return
    this.querySelector<VirtualList>('virtual-list')?.prepended(this.#prepended)
    this.#prepended = 0
  }

  /** The slash goes to the filter, as it goes to the search of a replay; up and down go from row to row, from the filter and the page itself as well. */
  readonly #pressed = (event: KeyboardEvent): void => {
    const { target, key } = event
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open], [popover]:popover-open') !== null)
      return
    const filter = this.querySelector<HTMLInputElement>('input.filter')
    const typing =
      target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
    if (key === '/' && !typing) {
      event.preventDefault()
      filter?.select()
    }
    // What was typed and not looked for yet is looked for first.
    if (typing && (target !== filter || filter.value.trim() !== this.filter)) return
    if (key === 'ArrowDown' || key === 'ArrowUp') this.#move(event, key === 'ArrowDown' ? 1 : -1)
  }

  /** The browser scrolls to whatever has the focus. Above the first row is the filter. */
  #move(event: KeyboardEvent, by: 1 | -1): void {
    const links = [...this.querySelectorAll<HTMLAnchorElement>('.row-link')]
    const at = links.findIndex((link) => link.matches(':focus'))
    const next =
      at < 0 ? (by > 0 ? links[0] : undefined) : at + by < 0 ? this.querySelector<HTMLElement>('input.filter') : links[at + by]
    if (next === undefined || next === null) return
    event.preventDefault()
    next.focus()
  }

  async #load(cursor?: string): Promise<void> {
    const parsed = parseSessionFilter(this.filter, Date.now())
    this.#wrong = parsed.ok ? '' : parsed.what
    if (!parsed.ok) {
      this.#list.drop()
      this.requestUpdate()
      return
    }
    await this.#list.ask(async (signal) => {
      const query = { ...parsed.query, limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
      const page = await this.api.sessions(query, signal)
      if (cursor === undefined) {
        const first = this.#rows[0]?.id
        this.#prepended = Math.max(
          0,
          page.sessions.findIndex(({ id }) => id === first),
        )
        this.#newer.clear()
      }
      this.#rows = cursor === undefined ? page.sessions : [...this.#rows, ...page.sessions]
      this.#next = page.next
      this.#lag = page.lag
      if (page.lag.state === 'backfill' && this.#rows.length <= PAGE_SIZE)
        this.#refresh ??= setTimeout(() => this.#reload(), BACKFILL_MS)
    })
  }

  #heard({ event, data }: ServerEvent): void {
    switch (event) {
      case 'progress': {
        const index = this.#rows.findIndex(({ id }) => id === data.session)
        const row = this.#rows[index]
        if (row === undefined) return
        const { state, frames, durationUs, statements, rows, bytesOut, masked, verdicts } = data
        this.#rows = this.#rows.with(index, { ...row, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts })
        this.requestUpdate()
        return
      }
      case 'closed': {
        const index = this.#rows.findIndex(({ id }) => id === data.id)
        if (index >= 0) this.#rows = this.#rows.with(index, data)
        // It may not be one of these any more: `state:live`.
        if (this.filter !== '' && this.#rows.length <= PAGE_SIZE) this.#refresh ??= setTimeout(() => this.#reload(), REFRESH_MS)
        this.requestUpdate()
        return
      }
      case 'opened':
        if (this.#rows.some(({ id }) => id === data.id)) return
        if (this.filter === '' && this.#list.state === 'here') {
          this.#rows = [data, ...this.#rows]
          this.#prepended += 1
          this.requestUpdate()
        } else if (this.#rows.length <= PAGE_SIZE) {
          // Whether it belongs into a filtered list is for the server to say.
          this.#refresh ??= setTimeout(() => this.#reload(), REFRESH_MS)
        } else {
          // The reader is pages away: the list stays under their eyes until they ask.
          this.#newer.add(data.id)
          this.requestUpdate()
        }
        return
      case 'reset':
        if (this.#rows.length <= PAGE_SIZE) this.#refresh ??= setTimeout(() => this.#reload(), REFRESH_MS)
        return
      case 'approval':
      case 'finding':
        return
      default:
        event satisfies never
    }
  }

  #reload(): void {
    this.#refresh = undefined
    void this.#load()
  }
}
customElements.define('sessions-page', SessionsPage)
