import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { SavedSearches as Saved, SavedSearch } from '../../schemas/api.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Api } from '../data/api.ts'
import { searchPath, sessionsPath } from '../router.ts'
import { Question } from './question.ts'
import { safe, safeLine } from './safe.ts'

export function savedRow(
  { id, name, page, filter, by, shared, may }: SavedSearch,
  { onGo, onRemove }: { readonly onGo: () => void; readonly onRemove: (id: string) => void },
): TemplateResult {
  return html`<li>
    <a href=${page === 'search' ? searchPath(filter) : sessionsPath(filter)} @click=${onGo}>${safeLine(name, 100)}</a>
    ${shared ? html`<span class="muted">by ${safeLine(by, 40)}, for everybody</span>` : nothing}
    ${may.remove ? html`<button type="button" class="link" aria-label="Remove ${safeText(name)}" @click=${() => onRemove(id)}>Remove</button>` : nothing}
    <code>${safeLine(filter, 120)}</code>
  </li>`
}

/** Searches that were kept, and the one that stands in the filter now. */
export class SavedSearches extends LitElement {
  static override properties = { api: { attribute: false }, page: { attribute: false }, filter: { attribute: false } }
  declare api: Pick<Api, 'savedSearches' | 'saveSearch' | 'removeSearch'>
  declare page: SavedSearch['page']
  declare filter: string
  #searches: Saved['searches'] = []
  readonly #question = new Question(this)

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override firstUpdated(): void {
    void this.#do(() => this.api.savedSearches())
  }

  protected override render(): TemplateResult {
    const own = this.#searches.filter(({ page }) => page === this.page)
    const { state, problem } = this.#question
    const id = `saved-${this.page}`
    const onGo = (): void => this.querySelector<HTMLElement>('[popover]')?.hidePopover()
    const onRemove = (search: string): void => void this.#do(() => this.api.removeSearch(search))
    return html`<button type="button" popovertarget=${id}>Saved${own.length === 0 ? nothing : ` ${own.length}`}</button>
      <div id=${id} class="popover" popover role="dialog" aria-label="Saved searches">
        <h2>Saved searches</h2>
        ${own.length === 0 ? (state === 'here' ? html`<p class="muted">None yet.</p>` : nothing) : html`<ul class="plain saved-list">${own.map((one) => savedRow(one, { onGo, onRemove }))}</ul>`}
        ${problem === '' ? nothing : html`<p class="wrong" role="alert">${safe(problem)}</p>`}
        ${
          this.filter === ''
            ? html`<p class="muted">Type a filter to save it here.</p>`
            : html`<form class="save-form" @submit=${(event: SubmitEvent) => this.#save(event)}>
                <label>Save <code>${safeLine(this.filter, 80)}</code> as <input name="name" required maxlength="100" autocomplete="off"></label>
                <label class="check"><input type="checkbox" name="shared"> for everybody</label>
                <button type="submit" class="primary" ?disabled=${state === 'loading'}>Save</button>
              </form>`
        }
      </div>`
  }

  #save(event: SubmitEvent): void {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const form = new FormData(event.target)
    const ask = { name: String(form.get('name') ?? '').trim(), page: this.page, filter: this.filter, shared: form.has('shared') }
    if (ask.name === '') return
    void this.#do(() => this.api.saveSearch(ask))
    event.target.reset()
  }

  async #do(work: () => Promise<Saved>): Promise<void> {
    await this.#question.ask(async () => {
      this.#searches = (await work()).searches
    })
  }
}
customElements.define('saved-searches', SavedSearches)
