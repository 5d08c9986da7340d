import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { CatalogLag, ServerEvent, SessionRow } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { type Api, ApiError } from '../data/api.ts'
import { agoText, counted, countText, dateText, sizeText, timeText } from '../data/format.ts'
import type { Live } from '../data/live.ts'
import { parseSessionFilter } from '../data/session-filter.ts'
import { actMark, empty, failure, loading, stateMark } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import '../elements/saved-searches.ts'
import type { VirtualList } from '../elements/virtual-list.ts'
import '../elements/virtual-list.ts'
import { replayPath } from '../router.ts'

const ROW_HEIGHT = 44
const HEAD_HEIGHT = 30
const PAGE_SIZE = 100
/** Rows before the end at which the next page is asked for. */
const NEAR_END = 30
/** News of one session come many a second; the list is asked for again at most this often. */
const REFRESH_MS = 500
/** Until what the catalog still reads of older tapes is asked for again: of those there is no news. */
const BACKFILL_MS = 1_500
/** How long ago something was is told to the second at first, and to the minute soon. */
const CLOCK_MS = 5_000

const CHIPS: readonly (readonly [label: string, term: string])[] = [
  ['Live', 'state:live'],
  ['Blocked', 'verdict:block'],
  ['Held', 'verdict:hold'],
  ['Masked', 'verdict:mask'],
  ['Over 10 000 rows', 'rows>10000'],
  ['Last 24 h', 'since:24h'],
]

export interface SessionsInput {
  readonly filter: string
  /** Why the filter is none. */
  readonly wrong: string
  readonly rows: readonly SessionRow[]
  readonly more: boolean
  /** Sessions opened since, which are not among the rows. */
  readonly newer: number
  readonly state: 'loading' | 'here' | 'failed'
  readonly problem: string
  readonly lag: CatalogLag | null
  readonly nowMs: number
  /** Where searches are kept. */
  readonly api: Api
  readonly onFilter: (filter: string) => void
  readonly onRetry: () => void
  readonly onNewer: () => void
  readonly onKey: (event: KeyboardEvent) => void
  /** The row at this index is being shown. */
  readonly onSeen: (index: number) => void
}

export function view(input: SessionsInput): TemplateResult {
  const { filter, wrong, rows, more, newer, lag } = input
  return html`<main class="page sessions" id="main">
    <header class="page-head">
      <h1>Sessions</h1>
      <form role="search" @submit=${(event: SubmitEvent) => event.preventDefault()}>
        <input
          type="search"
          class="filter"
          aria-label="Filter sessions"
          aria-describedby="filter-help"
          placeholder="identity:agent-*  target:orders-db  verdict:block  rows>10000  since:24h  or words of a statement"
          spellcheck="false"
          autocomplete="off"
          .value=${filter}
          @change=${(event: Event) => input.onFilter(typedIn(event))}
        />
      </form>
      <saved-searches .api=${input.api} .page=${'sessions'} .filter=${filter}></saved-searches>
      <span class="count" role="status">${rows.length === 0 ? nothing : `${countText(rows.length)}${more ? '+' : ''} shown`}</span>
    </header>
    <div class="chips">
      ${CHIPS.map(([label, term]) => {
        const on = filter.split(/\s+/).includes(term)
        return html`<button type="button" class="chip" aria-pressed=${on} @click=${() => input.onFilter(toggled(filter, term))}>${label}</button>`
      })}
      ${wrong === '' ? html`<span id="filter-help" class="visually-hidden">Terms are joined by and</span>` : html`<span id="filter-help" class="wrong" role="alert">${safe(wrong)}</span>`}
      ${lag === null || (lag.state === 'following' && lag.behindMs < 5_000) ? nothing : html`<span class="lag">${lagText(lag)}</span>`}
      ${newer === 0 ? nothing : html`<button type="button" class="chip newer" @click=${input.onNewer}>${counted(newer, 'newer session')}: show</button>`}
    </div>
    ${body(input)}
  </main>`
}

function body(input: SessionsInput): TemplateResult {
  const { state, rows, problem, filter, wrong } = input
  if (wrong !== '' && rows.length === 0) return empty('Nothing was looked for', 'The filter is not understood; why stands above.')
  if (state === 'failed' && rows.length === 0) return failure(problem, input.onRetry)
  if (state === 'loading' && rows.length === 0) return loading('Loading sessions …')
  if (rows.length === 0)
    return filter === ''
      ? empty('No session yet', 'They appear here the moment somebody connects through the gateway.')
      : empty('No session matches', 'Take a term out of the filter, or look at another time.')
  return html`${state === 'failed' ? failure(problem, input.onRetry) : nothing}
    <virtual-list
      id="sessions-list"
      class="sessions-list"
      @keydown=${input.onKey}
      .listRole=${'table'}
      .label=${'Sessions, newest first'}
      .count=${rows.length}
      .rowHeight=${ROW_HEIGHT}
      .head=${head()}
      .headHeight=${HEAD_HEIGHT}
      .renderRow=${(index: number) => {
        input.onSeen(index)
        const row = rows[index]
        return row === undefined ? html`` : sessionRow(row, index, input.nowMs)
      }}
    ></virtual-list>`
}

function head(): TemplateResult {
  const names = ['State', 'Started', 'Who', 'Target', 'Last statement', 'Verdicts', 'Rows', 'Masked', 'Length']
  return html`<div class="srow srow-head" role="row">
    ${names.map((name) => html`<span role="columnheader" class="c-${name.split(' ')[0]?.toLowerCase() ?? ''}">${name}</span>`)}
  </div>`
}

export function sessionRow(row: SessionRow, index: number, nowMs: number): TemplateResult {
  const { identity, target, verdicts } = row
  return html`<div class="srow" role="row" aria-rowindex=${index + 1}>
    <span role="cell" class="c-state">${stateMark(row.state)}</span>
    <span role="cell" class="c-started" title=${row.startedAt}><a class="row-link" href=${replayPath(row.id)} aria-label="Replay ${row.id}">${dateText(row.startedAt).slice(0, 19)}</a><small>${agoText(row.startedAt, nowMs)}</small></span>
    <span role="cell" class="c-who" title=${safeText(identity.principal === undefined ? identity.subject : `${identity.subject} for ${identity.principal}`)}><b>${safeLine(identity.subject, 40)}</b><small>${identity.kind}${identity.principal === undefined ? nothing : html` for ${safeLine(identity.principal, 40)}`}</small></span>
    <span role="cell" class="c-target" title=${safeText(target.database === undefined ? target.name : `${target.name}, database ${target.database}`)}><b>${safeLine(target.name, 40)}</b><small>${target.protocol}${target.database === undefined ? nothing : html` · ${safeLine(target.database, 30)}`}</small></span>
    <span role="cell" class="c-last mono">${row.lastStatement === null ? html`<span class="muted">no statement yet</span>` : safe(row.lastStatement)}</span>
    <span role="cell" class="c-verdicts">${verdicts.block > 0 ? actMark('block') : nothing}${verdicts.hold > 0 ? actMark('hold') : nothing}${verdicts.mask > 0 ? actMark('mask') : nothing}</span>
    <span role="cell" class="c-rows num">${countText(row.rows)}<small>${sizeText(row.bytesOut)}</small></span>
    <span role="cell" class="c-masked num">${row.masked === 0 ? html`<span class="muted">0</span>` : countText(row.masked)}</span>
    <span role="cell" class="c-length num">${timeText(row.durationUs)}<small>${counted(row.statements, 'stmt')}</small></span>
  </div>`
}

function lagText(lag: CatalogLag): string {
  if (lag.state === 'backfill') return `Older tapes are still being read: ${countText(lag.sessions)} to go.`
  if (lag.state === 'failed') return 'The catalog has stopped; what is listed may be old. The tapes are not affected.'
  return `The list is ${timeText(lag.behindMs * 1000)} behind the recordings.`
}

function toggled(filter: string, term: string): string {
  const terms = filter.split(/\s+/).filter((one) => one !== '')
  return (terms.includes(term) ? terms.filter((one) => one !== term) : [...terms, term]).join(' ')
}

function typedIn(event: Event): string {
  return event.target instanceof HTMLInputElement ? event.target.value.trim() : ''
}

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
  #state: SessionsInput['state'] = 'loading'
  #problem = ''
  #wrong = ''
  #lag: CatalogLag | null = null
  #asked = new AbortController()
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
    this.#asked.abort()
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
      state: this.#state,
      problem: this.#problem,
      lag: this.#lag,
      nowMs: Date.now(),
      onFilter: (filter) => this.dispatchEvent(new FilterEvent(filter)),
      onRetry: () => void this.#load(),
      onNewer: () => void this.#load(),
      onKey: (event) => this.#moved(event),
      onSeen: (index) => {
        if (index >= this.#rows.length - NEAR_END && this.#next !== null && this.#state === 'here') void this.#load(this.#next)
      },
    })
  }

  protected override updated(): void {
    if (this.#prepended === 0) return
    this.querySelector<VirtualList>('virtual-list')?.prepended(this.#prepended)
    this.#prepended = 0
  }

  /** The slash goes to the filter, as it goes to the search of a replay. */
  readonly #pressed = (event: KeyboardEvent): void => {
    const { target } = event
    if (event.key !== '/' || target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    this.querySelector<HTMLInputElement>('input.filter')?.select()
  }

  /** Up and down go from row to row; the browser scrolls to whatever has the focus. */
  #moved(event: KeyboardEvent): void {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (by === 0 || event.ctrlKey || event.metaKey || event.altKey) return
    const links = [...this.querySelectorAll<HTMLAnchorElement>('.row-link')]
    const at = links.findIndex((link) => link.matches(':focus'))
    event.preventDefault()
    ;(at < 0 ? links[0] : links[at + by])?.focus()
  }

  async #load(cursor?: string): Promise<void> {
    const parsed = parseSessionFilter(this.filter, Date.now())
    this.#wrong = parsed.ok ? '' : parsed.what
    if (!parsed.ok) {
      this.#state = 'here'
      this.requestUpdate()
      return
    }
    this.#asked.abort()
    const asked = new AbortController()
    this.#asked = asked
    this.#state = 'loading'
    try {
      const query = { ...parsed.query, limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
      const page = await this.api.sessions(query, asked.signal)
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
      this.#state = 'here'
      if (page.lag.state === 'backfill' && this.#rows.length <= PAGE_SIZE)
        this.#refresh ??= setTimeout(() => this.#reload(), BACKFILL_MS)
    } catch (error) {
      if (asked.signal.aborted) return
      this.#state = 'failed'
      this.#problem = error instanceof ApiError ? error.message : String(error)
    }
    this.requestUpdate()
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
        if (this.filter === '' && this.#state === 'here') {
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
