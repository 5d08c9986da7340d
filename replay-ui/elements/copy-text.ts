import { html, LitElement, type TemplateResult } from 'lit'

const COPIED_MS = 1_500

/** A small button that puts a text on the clipboard as it was recorded, and says that it did. */
export class CopyText extends LitElement {
  static override properties = { text: { attribute: false }, what: { attribute: false }, copied: { state: true } }
  declare text: string
  /** Of what, for its name: `the session’s id`. */
  declare what: string
  declare private copied: boolean
  #back: ReturnType<typeof setTimeout> | undefined

  constructor() {
    super()
    this.text = ''
    this.what = ''
    this.copied = false
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearTimeout(this.#back)
  }

  protected override render(): TemplateResult {
    const name = this.copied ? 'Copied' : `Copy ${this.what}`
    return html`<button type="button" class="copy ${this.copied ? 'copied' : ''}" aria-label=${name} title=${name} @click=${this.#clicked}>
      ${
        this.copied
          ? html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 8.5l3.2 3.2L13 5" /></svg>`
          : html`<svg viewBox="0 0 16 16" aria-hidden="true"><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" /></svg>`
      }
    </button>`
  }

  readonly #clicked = async (event: Event): Promise<void> => {
    event.stopPropagation()
    await navigator.clipboard.writeText(this.text)
    this.copied = true
    clearTimeout(this.#back)
    this.#back = setTimeout(() => {
      this.copied = false
    }, COPIED_MS)
  }
}
customElements.define('copy-text', CopyText)

/** The button for this text. */
export function copyButton(text: string, what: string): TemplateResult {
  return html`<copy-text .text=${text} .what=${what}></copy-text>`
}
