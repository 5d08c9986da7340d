import { html, nothing, type TemplateResult } from 'lit'
import type { CatalogLag, SessionRow } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Api } from '../data/api.ts'
import { agoText, counted, countText, dateText, sizeText, timeText } from '../data/format.ts'
import { LARGE_ROWS } from '../data/session-filter.ts'
import { actMark, empty, failed, loading, stateMark } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import { safe, safeLine } from '../elements/safe.ts'
import '../elements/saved-searches.ts'
import '../elements/virtual-list.ts'
import { replayPath } from '../router.ts'

const ROW_HEIGHT = 44
const HEAD_HEIGHT = 30

const CHIPS: readonly (readonly [label: string, term: string])[] = [
  ['Live', 'state:live'],
  ['Blocked', 'verdict:block'],
  ['Held', 'verdict:hold'],
  ['Masked', 'verdict:mask'],
  [`Over ${countText(LARGE_ROWS)} rows`, `rows>${LARGE_ROWS}`],
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
  readonly asked: Asked
  readonly lag: CatalogLag | null
  readonly nowMs: number
  /** Where searches are kept. */
  readonly api: Api
  readonly onFilter: (filter: string) => void
  readonly onRetry: () => void
  readonly onNewer: () => void
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
  const { asked, rows, filter, wrong } = input
  if (wrong !== '' && rows.length === 0) return empty('Nothing was looked for', 'The filter is not understood; why stands above.')
  if (asked.state === 'failed' && rows.length === 0) return failed(asked, input.onRetry)
  if (asked.state === 'loading' && rows.length === 0) return loading('Loading sessions …')
  if (rows.length === 0)
    return filter === ''
      ? empty('No session yet', 'They appear here the moment somebody connects through the gateway.')
      : empty('No session matches', 'Take a term out of the filter, or look at another time.')
  return html`${asked.state === 'failed' ? failed(asked, input.onRetry) : nothing}
    <virtual-list
      id="sessions-list"
      class="sessions-list"
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
