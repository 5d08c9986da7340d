import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { SummaryText } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import { counted, sizeText } from '../data/format.ts'
import { safe, safeLine } from '../elements/safe.ts'

export interface SummaryInput {
  /** Where text would go, and who writes. */
  readonly host: string
  readonly summary: SummaryText | undefined
  readonly busy: boolean
  readonly problem: string
  readonly onAsk: () => void
}

export function view({ host, summary, busy, problem, onAsk }: SummaryInput): TemplateResult {
  return html`<div class="summary-ask">
    ${
      summary === undefined
        ? html`<p class="chips"><button type="button" ?disabled=${busy} @click=${onAsk}>${busy ? 'Waiting for the model …' : 'Have a model summarise it'}</button>
            <span class="muted">sends its commands, masked, to ${safeLine(host, 60)}; the ledger has who asked and how much</span></p>`
        : html`<figure class="written" aria-label="Written by a model, not evidence">
            <figcaption><span class="mark mark-hold">not evidence</span> Written by ${summary.model === null ? nothing : html`<b>${safeLine(summary.model, 60)}</b> at `}${safeLine(summary.host, 60)}, from ${sizeText(summary.bytes)} of masked text (${counted(summary.statements, 'command')} of ${summary.of})</figcaption>
            <blockquote>${safe(summary.text, true)}</blockquote>
          </figure>`
    }
    ${problem === '' ? nothing : html`<p class="wrong" role="alert">${safe(problem)}</p>`}
  </div>`
}

/** Asks for a summary only when somebody presses for it; it is kept nowhere, and gone with the page. */
export class ReplaySummary extends LitElement {
  static override properties = { api: { attribute: false }, session: { attribute: false }, host: { attribute: false } }
  declare api: Pick<Api, 'summarise'>
  declare session: string
  declare host: string
  #summary: SummaryText | undefined
  #busy = false
  #problem = ''
  #gone = new AbortController()

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('session')) return
    // What is still asked for is of another session.
    this.#gone.abort()
    this.#gone = new AbortController()
    this.#summary = undefined
    this.#busy = false
    this.#problem = ''
  }

  protected override render(): TemplateResult {
    return view({
      host: this.host,
      summary: this.#summary,
      busy: this.#busy,
      problem: this.#problem,
      onAsk: () => void this.#ask(),
    })
  }

  async #ask(): Promise<void> {
    const { signal } = this.#gone
    this.#busy = true
    this.#problem = ''
    this.requestUpdate()
    try {
      this.#summary = await this.api.summarise(this.session, signal)
    } catch (error) {
      if (signal.aborted) return
      this.#problem = error instanceof Error ? error.message : String(error)
    }
    this.#busy = false
    this.requestUpdate()
  }
}
customElements.define('replay-summary', ReplaySummary)
