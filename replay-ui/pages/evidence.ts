import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { CustodyEntry, LedgerState } from '../../schemas/api.ts'
import { CUSTODY_NAMES } from '../../schemas/api-names.ts'
import type { Api } from '../data/api.ts'
import { counted, countText, dateText } from '../data/format.ts'
import { copyButton } from '../elements/copy-text.ts'
import { empty, failed, loading } from '../elements/marks.ts'
import { type Asked, Question } from '../elements/question.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { type CustodyAsk, replayPath } from '../router.ts'
import { runsView, toldText } from './evidence-runs.ts'

/** Of verifications, above the list. */
const RUNS = 8

export interface EvidenceInput {
  readonly ask: CustodyAsk
  readonly entries: readonly CustodyEntry[]
  readonly asked: Asked
  readonly more: boolean
  readonly lookedTo: string | null
  /** For those who may see everything. */
  readonly ledger: LedgerState | undefined
  /** The last verifications of all, or of the session that is asked for. */
  readonly runs: readonly CustodyEntry[] | undefined
  readonly everything: boolean
  readonly onAsk: (ask: CustodyAsk) => void
  readonly onMore: () => void
  readonly onRetry: () => void
}

export function view(input: EvidenceInput): TemplateResult {
  const { ask, ledger, everything } = input
  return html`<main class="page evidence-page" id="main">
    <header class="page-head"><h1>Evidence</h1><span class="muted">Who looked at what, searched, exported, decided: as the ledger has it</span></header>
    ${ledger === undefined ? nothing : ledgerView(ledger)}
    ${input.runs === undefined ? nothing : runsView(input.runs)}
    <form class="custody-form" role="search" @submit=${(event: SubmitEvent) => submitted(event, input)}>
      <label>Session <input name="session" maxlength="128" spellcheck="false" autocomplete="off" .value=${ask.session ?? ''} ?required=${!everything}></label>
      <label>Who <input name="actor" maxlength="256" spellcheck="false" autocomplete="off" placeholder="ivan, or agent-*" .value=${ask.actor ?? ''}></label>
      <label>Did what
        <select name="act">
          <option value="">anything</option>
          ${Object.entries(CUSTODY_NAMES).map(([act, name]) => html`<option value=${act} ?selected=${act === ask.act}>${name}</option>`)}
        </select>
      </label>
      <button type="submit" class="primary">Show</button>
      ${everything ? html`<a class="button" href="/bundles">Audit bundles</a>` : nothing}
    </form>
    <section class="pane custody" aria-label="Custody, newest first" tabindex="0">${list(input)}</section>
  </main>`
}

function submitted(event: SubmitEvent, { onAsk }: EvidenceInput): void {
  event.preventDefault()
  if (!(event.target instanceof HTMLFormElement)) return
  const form = new FormData(event.target)
  const ask: Record<string, string> = {}
  for (const name of ['session', 'actor', 'act']) {
    const value = String(form.get(name) ?? '').trim()
    if (value !== '') ask[name] = value
  }
  onAsk(ask)
}

function list(input: EvidenceInput): TemplateResult {
  const { asked, entries, more, lookedTo, ask, everything } = input
  const { state } = asked
  if (state === 'failed' && entries.length === 0) return failed(asked, input.onRetry)
  if (!everything && ask.session === undefined)
    return empty('Name a session', 'Its replay leads here; custody of everything takes the role of an auditor.')
  if (entries.length === 0 && state === 'loading') return loading('Reading the ledger …')
  return html`${entries.length === 0 ? (more ? nothing : empty('Nothing', 'The ledger has no such entry.')) : table(entries)}
    ${state === 'failed' ? failed(asked, input.onRetry) : nothing}
    ${
      more
        ? html`<p class="custody-more"><button type="button" ?disabled=${state === 'loading'} @click=${input.onMore}>Look further back</button>${lookedTo === null ? nothing : html` <span class="muted">looked back to ${dateText(lookedTo)}</span>`}</p>`
        : html`<p class="quiet">That is all there is.</p>`
    }`
}

function table(entries: readonly CustodyEntry[]): TemplateResult {
  return html`<table class="totals custody-table">
    <thead><tr>${['When', 'Who', 'Did', 'Of', 'In detail'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${entries.map(row)}</tbody>
  </table>`
}

function row({ at, actor, act, type, session, told, signed, gateway, n }: CustodyEntry): TemplateResult {
  // What it was about comes first: of a search, of what; the rest as the ledger has it.
  const about = told.find(([name]) => name === 'what')
  const shown = told.filter(([name, value]) => name !== 'proof' && name !== 'what' && value !== '{}')
  return html`<tr>
    <td title="${gateway} ${n}">${dateText(at)}</td>
    <td>${actor === '' ? html`<span class="muted">${safeLine(gateway, 60)}</span>` : html`<b>${safeLine(actor, 60)}</b>`}${signed ? nothing : html` <span class="mark mark-block">not signed by us</span>`}</td>
    <td><span class="act-${act}">${CUSTODY_NAMES[act]}</span> <span class="muted mono">${safeLine(type, 40)}</span></td>
    <td>${session === null ? nothing : html`<a class="mono" href=${replayPath(session)}>${safeLine(session, 40)}</a>`}</td>
    <td class="told">${about === undefined ? nothing : html`<span>${safeLine(about[1], 120)}</span> `}${shown.map(([name, value]) => html`<span><span class="muted">${safeLine(name, 30)}</span> ${safeLine(toldText(value), 120)}</span> `)}</td>
  </tr>`
}

function ledgerView({ checkpoint, holds }: LedgerState): TemplateResult {
  return html`<section class="card ledger-card" aria-label="Ledger">
    <dl class="pairs pairs-small">
      <dt>Signed</dt><dd>${checkpoint === null ? 'nothing yet' : html`${counted(checkpoint.size, 'entry', 'entries')}, root <code>${safe(checkpoint.root)}</code> ${copyButton(checkpoint.root, 'the root')}`}</dd>
      <dt>Legal holds</dt><dd>${
        holds.length === 0
          ? 'none in force'
          : html`<ul class="plain">${holds.map(
              ({ session, matter, actor, reason, at }) =>
                html`<li><a class="mono" href=${replayPath(session)}>${safeLine(session, 40)}</a> ${matter === '' ? nothing : html`for <b>${safeLine(matter, 60)}</b>`} by ${safeLine(actor, 40)}, ${dateText(at)}: ${safeLine(reason, 200)}</li>`,
            )}</ul>`
      }</dd>
    </dl>
    <p class="hint">Verify it elsewhere: <code>sallyport verify</code>, which looks at every tape and the ledger. ${checkpoint === null ? nothing : `${countText(checkpoint.size)} entries are under this root; newer ones follow within seconds.`}</p>
  </section>`
}

/** Wants another question in the address. */
export class CustodyEvent extends Event {
  readonly ask: CustodyAsk

  constructor(ask: CustodyAsk) {
    super('custody', { bubbles: true })
    this.ask = ask
  }
}

export class EvidencePage extends LitElement {
  static override properties = { api: { attribute: false }, ask: { attribute: false }, everything: { attribute: false } }
  declare api: Pick<Api, 'custody' | 'ledgerState'>
  declare ask: CustodyAsk
  declare everything: boolean
  #entries: readonly CustodyEntry[] = []
  #next: string | null = null
  #lookedTo: string | null = null
  #ledger: LedgerState | undefined
  #runs: readonly CustodyEntry[] | undefined
  readonly #question = new Question(this)

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('ask') && !changed.has('everything')) return
    this.#entries = []
    this.#next = null
    this.#runs = undefined
    if (this.everything || this.ask.session !== undefined) void this.#load()
  }

  protected override render(): TemplateResult {
    return view({
      ask: this.ask,
      entries: this.#entries,
      asked: this.#question,
      more: this.#next !== null,
      lookedTo: this.#lookedTo,
      ledger: this.#ledger,
      runs: this.#runs,
      everything: this.everything,
      onAsk: (ask) => this.dispatchEvent(new CustodyEvent(ask)),
      onMore: () => void this.#load(this.#next ?? undefined),
      onRetry: () => void this.#load(),
    })
  }

  async #load(cursor?: string): Promise<void> {
    await this.#question.ask(async (signal) => {
      const page = await this.api.custody({ ...this.ask, ...(cursor === undefined ? {} : { cursor }) }, signal)
      this.#entries = cursor === undefined ? page.entries : [...this.#entries, ...page.entries]
      this.#next = page.next
      this.#lookedTo = page.lookedTo
      const { session } = this.ask
      const runs = { act: 'verified', limit: RUNS, ...(session === undefined ? {} : { session }) } as const
      this.#runs ??= (await this.api.custody(runs, signal)).entries
      if (this.everything) this.#ledger ??= await this.api.ledgerState(signal)
    })
  }
}
customElements.define('evidence-page', EvidencePage)
