import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { SessionDetail, SessionRow, StatementRow } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import { aligned, MAX_COMPARED, type Pair, type Touched, touched } from '../data/compare.ts'
import { counted, countText, dateText, sizeText, timeText } from '../data/format.ts'
import { actMark, empty, failed, loading } from '../elements/marks.ts'
import { type Asked, Question } from '../elements/question.ts'
import { safeLine } from '../elements/safe.ts'
import { replayPath } from '../router.ts'

/** Sessions of the same identity that are offered to compare with. */
const MAX_OFFERED = 50

interface Compared {
  readonly detail: SessionDetail
  readonly statements: readonly StatementRow[]
  /** There are more than are compared. */
  readonly more: boolean
}

export interface CompareInput {
  readonly asked: Asked
  readonly left: Compared | undefined
  readonly right: Compared | undefined
  /** Whom to compare the left one with, where nobody has chosen. */
  readonly offered: readonly SessionRow[]
  readonly onRetry: () => void
}

export function view(input: CompareInput): TemplateResult {
  const { asked, left, right, offered } = input
  if (asked.state === 'failed') return html`<main class="page" id="main">${failed(asked, input.onRetry)}</main>`
  if (left === undefined) return html`<main class="page" id="main">${loading('Reading the session …')}</main>`
  return html`<main class="page compare" id="main">
    <header class="page-head"><h1>Compare</h1><span class="muted">${right === undefined ? chosen(left.detail) : 'what both did stands side by side; alike but for values is the same'}</span></header>
    ${right === undefined ? choice(left.detail, offered, asked.state) : both(left, right)}
  </main>`
}

function chosen({ id, identity, target, startedAt }: SessionDetail): TemplateResult {
  const name = html`${safeLine(identity.subject, 60)} → ${safeLine(target.name, 60)}, ${dateText(startedAt)}`
  return html`<a href=${replayPath(id)}>${name}</a> with another session of the same identity`
}

function choice({ id, identity }: SessionDetail, offered: readonly SessionRow[], state: Asked['state']): TemplateResult {
  if (state === 'loading') return loading('Looking for others …')
  if (offered.length === 0) return empty('There is no other', `No other session of ${identity.subject} is to be seen.`)
  return html`<section class="pane hits" aria-label="Sessions to compare with" tabindex="0"><ol class="plain">${offered.map(
    (one) => html`<li class="hit">
      <p class="hit-text"><a class="row-link" href="/compare/${encodeURIComponent(id)}/${encodeURIComponent(one.id)}">${dateText(one.startedAt)}</a> ${safeLine(one.target.name, 60)}</p>
      <p class="about"><span class="mono">${one.id}</span><span>${counted(one.statements, 'statement')}</span><span>${counted(one.rows, 'row')}</span><span>${timeText(one.durationUs)}</span>${one.verdicts.block > 0 ? actMark('block') : nothing}${one.verdicts.hold > 0 ? actMark('hold') : nothing}</p>
    </li>`,
  )}</ol></section>`
}

function both(left: Compared, right: Compared): TemplateResult {
  const pairs = aligned(left.statements, right.statements)
  const same = pairs.filter((pair) => pair.left !== undefined && pair.right !== undefined).length
  const cut = left.more || right.more
  return html`<div class="compare-heads">${head(left)}${head(right)}</div>
    ${cut ? html`<p class="cut">Only the first ${countText(MAX_COMPARED)} statements of each are compared.</p>` : nothing}
    <div class="compare-body">
      <section class="pane" aria-label="What was touched" tabindex="0"><h2>Touched</h2>${touchedView(touched(left.statements, right.statements))}</section>
      <section class="pane" aria-label="Statements" tabindex="0"><h2>Statements <span class="count">${countText(same)} in common, ${countText(pairs.length - same)} in one alone</span></h2>
        <div class="pairs-scroll"><table class="compare-table"><thead class="visually-hidden"><tr><th scope="col">Left</th><th scope="col">Right</th></tr></thead>
          <tbody>${pairs.map((pair) => pairRow(pair))}</tbody></table></div></section>
    </div>`
}

function head({ detail }: Compared): TemplateResult {
  const { id, identity, target, startedAt, rows, bytesOut, masked, durationUs, statements } = detail
  return html`<div class="card compare-head">
    <h2><a href=${replayPath(id)}>${safeLine(identity.subject, 60)} → ${safeLine(target.name, 60)}</a></h2>
    <p class="about"><span>${dateText(startedAt)}</span><span class="mono">${id}</span></p>
    <p class="about"><span>${counted(statements, 'statement')}</span><span>${counted(rows, 'row')}</span><span>${sizeText(bytesOut)}</span><span class="t-mask">${countText(masked)} masked</span><span>${timeText(durationUs)}</span></p>
  </div>`
}

function touchedView(list: readonly Touched[]): TemplateResult {
  if (list.length === 0) return html`<p class="quiet">Neither touched a table or a route that is known.</p>`
  return html`<table class="totals"><thead><tr><th scope="col">What</th><th scope="col">Left</th><th scope="col">Right</th></tr></thead><tbody>${list.map(
    ({ object, left, right }) => html`<tr class=${left === undefined || right === undefined ? 'alone' : ''}>
      <td class="mono">${safeLine(object, 60)}</td>${[left, right].map((sum) => html`<td>${sum === undefined ? html`<span class="muted">–</span>` : html`${countText(sum.statements)}×, ${counted(sum.rows, 'row')}`}</td>`)}
    </tr>`,
  )}</tbody></table>`
}

function pairRow({ left, right }: Pair): TemplateResult {
  return html`<tr class=${left === undefined ? 'only-right' : right === undefined ? 'only-left' : ''}>${[left, right].map((one) => html`<td>${one === undefined ? html`<span class="muted" aria-label="not here">–</span>` : statement(one)}</td>`)}</tr>`
}

function statement({ session, frame, text, rows, masked, verdict, approval, outcome }: StatementRow): TemplateResult {
  return html`<a class="mono" href=${replayPath(session, { frame })}>${safeLine(text, 200)}</a>
    <span class="about"><span>${counted(rows, 'row')}</span>${masked > 0 ? html`<span class="t-mask">${countText(masked)} masked</span>` : nothing}${actMark(verdict, approval)}${outcome === 'complete' ? nothing : html`<span>${outcome}</span>`}</span>`
}

class ComparePage extends LitElement {
  static override properties = { api: { attribute: false }, left: { attribute: false }, right: { attribute: false } }
  declare api: Pick<Api, 'session' | 'statements' | 'sessions'>
  declare left: string
  declare right: string | undefined
  #sides: readonly [Compared | undefined, Compared | undefined] = [undefined, undefined]
  #offered: readonly SessionRow[] = []
  readonly #question = new Question(this)

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('left') || changed.has('right')) void this.#load()
  }

  protected override render(): TemplateResult {
    const [left, right] = this.#sides
    return view({
      asked: this.#question,
      left,
      right,
      offered: this.#offered,
      onRetry: () => void this.#load(),
    })
  }

  async #load(): Promise<void> {
    this.#sides = [undefined, undefined]
    await this.#question.ask(async (signal) => {
      const { right } = this
      const read = (id: string): Promise<Compared> => this.#read(id, signal)
      this.#sides = await Promise.all([read(this.left), right === undefined ? undefined : read(right)])
      this.requestUpdate()
      const [left] = this.#sides
      if (right === undefined && left !== undefined) {
        const query = { identity: left.detail.identity.subject, limit: MAX_OFFERED }
        const { sessions } = await this.api.sessions(query, signal)
        this.#offered = sessions.filter(({ id }) => id !== this.left)
      }
    })
  }

  async #read(id: string, signal: AbortSignal): Promise<Compared> {
    const [detail, { statements, next }] = await Promise.all([
      this.api.session(id, signal),
      this.api.statements(id, { limit: MAX_COMPARED }, signal),
    ])
    return { detail, statements, more: next !== null }
  }
}
customElements.define('compare-page', ComparePage)
