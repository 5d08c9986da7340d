import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { CaseChange, CaseRow } from '../../schemas/api.ts'
import { OWN_CASE } from '../../schemas/api-names.ts'
import type { Api } from '../data/api.ts'
import { safe } from './safe.ts'

/** What is put into a case. */
export type CaseWish = Pick<Extract<CaseChange, { act: 'add' }>, 'kind' | 'session' | 'frame' | 'row' | 'finding'>

/** It is in a case now. */
export class AddedEvent extends Event {
  constructor() {
    super('added', { bubbles: true })
  }
}

/** Asks into which case a frame, a session or a finding goes, and why. Opened by `ask`. */
export class CaseAdder extends LitElement {
  static override properties = { api: { attribute: false } }
  declare api: Pick<Api, 'cases' | 'createCase' | 'changeCase'>
  #wish: CaseWish | undefined
  #cases: readonly CaseRow[] = []
  #busy = false
  #problem = ''
  /** Asked for and not open yet. One that was closed stays in the page until its event has come, and no redraw before that opens it again. */
  #wanted = false

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  async ask(wish: CaseWish): Promise<void> {
    this.#wish = wish
    this.#wanted = true
    this.#problem = ''
    this.requestUpdate()
    try {
      this.#cases = (await this.api.cases()).cases.filter(({ state, own }) => state === 'open' && !own)
    } catch (error) {
      this.#problem = messageOf(error)
    }
    this.requestUpdate()
  }

  protected override updated(): void {
    const dialog = this.querySelector('dialog')
    if (dialog === null || !this.#wanted) return
    this.#wanted = false
    if (!dialog.open) dialog.showModal()
  }

  protected override render(): TemplateResult | typeof nothing {
    const wish = this.#wish
    if (wish === undefined) return nothing
    const { kind, session = '', frame, row, finding = '' } = wish
    return html`<dialog class="dialog" aria-labelledby="adder-title" @close=${this.#closed}>
      <form @submit=${(event: SubmitEvent) => void this.#submit(event)}>
        <h2 id="adder-title">${kind === 'frame' ? 'Bookmark this frame' : `Add this ${kind} to a case`}</h2>
        <p class="muted mono">${safe(kind === 'finding' ? finding : session)}${frame === undefined ? nothing : ` #${frame}${row === undefined ? '' : `.${row}`}`}</p>
        <label>Where
          <select name="case">
            <option value=${OWN_CASE}>My bookmarks, seen by nobody else</option>
            ${this.#cases.map(({ id, title }) => html`<option value=${id}>${safe(title)}</option>`)}
            <option value="new">A new case …</option>
          </select>
        </label>
        <label>Title <span class="muted">(of a new case)</span><input name="title" maxlength="200" autocomplete="off"></label>
        <label>Note<textarea name="note" rows="3" maxlength="2000"></textarea></label>
        ${this.#problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(this.#problem)}</p>`}
        <div class="buttons"><button type="button" @click=${() => this.querySelector('dialog')?.close()}>Leave it</button><button type="submit" class="primary" ?disabled=${this.#busy}>${this.#busy ? 'Adding …' : 'Add'}</button></div>
      </form>
    </dialog>`
  }

  /** Told of some time after: by then it may stand open for the next wish. */
  readonly #closed = ({ target }: Event): void => {
    if (target instanceof HTMLDialogElement && !target.open) this.#close()
  }

  #close(): void {
    this.#wish = undefined
    this.requestUpdate()
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const wish = this.#wish
    if (wish === undefined || !(event.target instanceof HTMLFormElement)) return
    const form = new FormData(event.target)
    const text = (name: string): string => String(form.get(name) ?? '').trim()
    if (text('case') === 'new' && text('title') === '') {
      this.#problem = 'A new case needs a title.'
      this.requestUpdate()
      return
    }
    this.#busy = true
    this.requestUpdate()
    try {
      const id = text('case') === 'new' ? (await this.api.createCase(text('title'))).id : text('case')
      await this.api.changeCase(id, { act: 'add', ...wish, note: text('note') })
      this.#close()
      this.dispatchEvent(new AddedEvent())
    } catch (error) {
      this.#problem = messageOf(error)
    } finally {
      this.#busy = false
      this.requestUpdate()
    }
  }
}
customElements.define('case-adder', CaseAdder)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
