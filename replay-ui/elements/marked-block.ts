import { html, LitElement, nothing, type TemplateResult } from 'lit'
import { safeText } from '../../schemas/safe-text.ts'
import { counted, countText } from '../data/format.ts'
import { type MarkedText, segmentsOf, sliceMarked } from '../data/marked-text.ts'
import { safe, whole } from './safe.ts'

/** Shown at first, and added at each wish for more. */
const STEP_CHARS = 8_000

/** Untrusted text as a block, with what was masked in it hatched and named; all of it can be seen, never more than asked for. */
export class MarkedBlock extends LitElement {
  static override properties = { value: { attribute: false }, shown: { state: true } }
  declare value: MarkedText
  declare private shown: number

  constructor() {
    super()
    this.value = { text: '', marks: [] }
    this.shown = STEP_CHARS
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('value')) this.shown = STEP_CHARS
  }

  protected override render(): TemplateResult {
    const { text } = this.value
    const left = text.length - this.shown
    const value = left > 0 ? sliceMarked(this.value, 0, whole(text, this.shown)) : this.value
    return html`<pre class="block">${markedInline(value, true)}</pre>
      ${
        left > 0
          ? html`<p class="cut">${counted(left, 'more character')} of ${countText(text.length)} not shown.
              <button type="button" class="link" @click=${() => (this.shown += STEP_CHARS)}>Show ${countText(Math.min(left, STEP_CHARS))} more</button></p>`
          : nothing
      }`
  }
}
customElements.define('marked-block', MarkedBlock)

export function markedInline(value: MarkedText, block = false): TemplateResult {
  return html`${segmentsOf(value).map(({ text, mark }) =>
    mark === undefined
      ? safe(text, block)
      : html`<span class="masked" title=${safeText(`${mark.entity}, masked by ${mark.rule}`)}>${safe(text, block)}</span>`,
  )}`
}
