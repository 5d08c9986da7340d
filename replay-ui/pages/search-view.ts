import { html, nothing, type TemplateResult } from 'lit'
import { termText } from '../../schemas/filter.ts'
import type { SearchFacets, SearchHit } from '../../schemas/search.ts'
import type { Api } from '../data/api.ts'
import { counted, countText, dateText, sizeText } from '../data/format.ts'
import { actMark, empty, failed, loading } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import { safe, safeLine } from '../elements/safe.ts'
import '../elements/saved-searches.ts'
import { replayPath } from '../router.ts'

const PLACES: Readonly<Record<SearchHit['place'], string>> = {
  statement: 'statement',
  result: 'result row',
  terminal: 'terminal',
  output: 'output',
  body: 'HTTP body',
}
const EXAMPLES = [
  'table:customers rows>100 since:7d',
  'verdict:block since:24h',
  'in:result Ghent',
  'in:terminal sudo',
  'verb:COPY',
]

export interface SearchInput {
  readonly filter: string
  readonly hits: readonly SearchHit[]
  readonly more: boolean
  readonly facets: SearchFacets | null
  /** Undefined where nothing is looked for. */
  readonly asked: Asked | undefined
  /** Sessions the catalog has still to read. */
  readonly behind: number
  /** Where searches are kept. */
  readonly api: Api
  readonly onFilter: (filter: string) => void
  readonly onMore: () => void
  readonly onRetry: () => void
}

export function view(input: SearchInput): TemplateResult {
  const { filter, hits, more, behind } = input
  return html`<main class="page search" id="main">
    <header class="page-head">
      <h1>Search</h1>
      <form role="search" @submit=${(event: SubmitEvent) => submitted(event, input.onFilter)}>
        <input
          type="search"
          class="filter"
          aria-label="Search everything that was recorded"
          placeholder="words of a statement, a row, a screen …  table:customers  identity:agent-*  rows>1000  since:7d"
          spellcheck="false"
          autocomplete="off"
          .value=${filter}
        />
      </form>
      <saved-searches .api=${input.api} .page=${'search'} .filter=${filter}></saved-searches>
      <span class="count" role="status">${hits.length === 0 ? nothing : `${countText(hits.length)}${more ? '+' : ''} shown`}</span>
    </header>
    ${behind === 0 ? nothing : html`<p class="lag">The catalog has still to read ${counted(behind, 'session')}; more may be found.</p>`}
    ${body(input)}
  </main>`
}

/** Enter asks again, also for the same words: there may be more by now. */
function submitted(event: SubmitEvent, onFilter: (filter: string) => void): void {
  event.preventDefault()
  const input = event.target instanceof HTMLFormElement ? event.target.querySelector('input') : null
  if (input !== null) onFilter(input.value.trim())
}

function body(input: SearchInput): TemplateResult {
  const { asked, hits, facets, more, onMore, onRetry } = input
  if (asked === undefined) return start(input)
  const { state } = asked
  if (state === 'failed' && hits.length === 0) return failed(asked, onRetry)
  if (hits.length === 0)
    return state === 'loading' ? loading('Searching …') : empty('Nothing found', 'Take a term out, or look at another time.')
  return html`${state === 'failed' ? failed(asked, onRetry) : nothing}
    <div class="found">
      <section class="pane hits" aria-label="Hits, newest first" tabindex="0">
        <ol>
          ${hits.map(hit)}
        </ol>
        ${more ? html`<button type="button" class="more-button" ?disabled=${state === 'loading'} @click=${onMore}>Show more</button>` : nothing}
      </section>
      ${facets === null ? nothing : facetPane(facets, input)}
    </div>`
}

function start({ onFilter }: SearchInput): TemplateResult {
  return html`<div class="empty">
    <p class="empty-title">Find what was asked, answered and shown</p>
    <p>Statements, result rows, terminal text, output and HTTP bodies, masked as they were recorded. Terms are joined by and; a minus in front means not.</p>
    <p class="chips">${EXAMPLES.map((one) => html`<button type="button" class="chip" @click=${() => onFilter(one)}>${one}</button>`)}</p>
  </div>`
}

function hit(one: SearchHit): TemplateResult {
  const { session, frame, row, place, at, identity, principal, target, statement } = one
  const where = { frame, ...(row === null ? {} : { row }) }
  return html`<li class="hit">
    <p class="hit-text mono"><a class="row-link" href=${replayPath(session, where)}>${marked(one)}</a></p>
    <p class="about">
      <span class="place">${PLACES[place]}</span>
      <b>${safeLine(identity, 40)}</b>${principal === null ? nothing : html`<span>for ${safeLine(principal, 40)}</span>`}
      <span>${safeLine(target, 40)}</span>
      <span>${dateText(at)}</span>
      <span class="mono">#${frame}${row === null ? nothing : `.${row}`}</span>
      ${statement === null ? nothing : html`<span>${counted(statement.rows, 'row')}, ${sizeText(statement.bytesOut)}</span>${actMark(statement.verdict)}`}
      ${statement === null || statement.approval === null ? nothing : html`<a class="mono" href=${`/approvals/${encodeURIComponent(statement.approval)}`}>${safeLine(statement.approval, 40)}</a>`}
      ${statement === null || statement.outcome === 'complete' ? nothing : html`<span>${statement.outcome}</span>`}
    </p>
  </li>`
}

/** Text around the match; what is masked keeps its words. */
function marked({ text, match }: SearchHit): TemplateResult {
  if (match === null) return html`${safe(text)}`
  const [from, to] = match
  return html`${safe(text.slice(0, from))}<mark>${safe(text.slice(from, to))}</mark>${safe(text.slice(to))}`
}

function facetPane({ of, more, ...facets }: SearchFacets, { filter, onFilter }: SearchInput): TemplateResult {
  const names: readonly (readonly [keyof typeof facets, string])[] = [
    ['identity', 'identity'],
    ['target', 'target'],
    ['place', 'in'],
    ['verdict', 'verdict'],
    ['table', 'table'],
  ]
  return html`<aside class="pane facets" aria-label="Counts">
    <h2>Of ${more ? 'the newest ' : nothing}${counted(of, 'hit')}</h2>
    ${names.map(([name, field]) =>
      facets[name].length === 0
        ? nothing
        : html`<h3>${name}</h3>
            <ul>
              ${facets[name].map(
                ({ value, count }) =>
                  html`<li><button type="button" class="facet" @click=${() => onFilter(`${filter} ${termText(field, value)}`.trim())}><span>${safeLine(value, 40)}</span><span class="count">${countText(count)}</span></button></li>`,
              )}
            </ul>`,
    )}
  </aside>`
}
