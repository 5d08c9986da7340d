import { html, LitElement, nothing, type TemplateResult } from 'lit'
import { counted, countText } from '../data/format.ts'
import { safe, whole } from './safe.ts'

/** Shown at first, and added at each wish for more: what a browser lays out at once without a pause. */
const STEP_CHARS = 8_000

/** Untrusted text as a block: all of it can be seen, never more than asked for, and what is not shown is said. */
export class LongText extends LitElement {
  static override properties = { text: { attribute: false }, first: { attribute: false }, shown: { state: true } }
  declare text: string
  /** Characters shown at first. */
  declare first: number
  declare private shown: number

  constructor() {
    super()
    this.text = ''
    this.first = STEP_CHARS
    this.shown = 0
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('text')) this.shown = 0
  }

  protected override render(): TemplateResult {
    const chars = Math.max(this.first, this.shown)
    return longTextView({ text: this.text, chars, onMore: () => (this.shown = chars + STEP_CHARS) })
  }
}
customElements.define('long-text', LongText)

export function longTextView(input: {
  readonly text: string
  readonly chars: number
  readonly onMore: () => void
}): TemplateResult {
  const { text, chars, onMore } = input
  const left = text.length - chars
  return html`<pre class="block">${safe(left > 0 ? text.slice(0, whole(text, chars)) : text, true)}</pre>
    ${
      left > 0
        ? html`<p class="cut">
            ${counted(left, 'more character')} of ${countText(text.length)} not shown.
            <button type="button" class="link" @click=${onMore}>Show ${countText(Math.min(left, STEP_CHARS))} more</button>
          </p>`
        : nothing
    }`
}
