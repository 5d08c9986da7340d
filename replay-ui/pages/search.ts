import { LitElement, type TemplateResult } from 'lit'
import type { SearchFacets, SearchHit } from '../../schemas/search.ts'
import type { Api } from '../data/api.ts'
import { Question } from '../elements/question.ts'
import { view } from './search-view.ts'
import { FilterEvent } from './sessions.ts'

const PAGE_SIZE = 50

/** Looks for words and terms in everything that is recorded; what is looked for stands in the address. */
class SearchPage extends LitElement {
  static override properties = { api: { attribute: false }, filter: { attribute: false } }
  declare api: Api
  declare filter: string
  #hits: readonly SearchHit[] = []
  #next: string | null = null
  #facets: SearchFacets | null = null
  #behind = 0
  readonly #question = new Question(this)

  constructor() {
    super()
    this.filter = ''
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    addEventListener('keydown', this.#pressed)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    removeEventListener('keydown', this.#pressed)
  }

  readonly #pressed = (event: KeyboardEvent): void => {
    const { target } = event
    if (event.key !== '/' || target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    this.querySelector<HTMLInputElement>('input.filter')?.select()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('filter')) return
    this.#hits = []
    this.#facets = null
    if (this.filter !== '') void this.#load()
  }

  protected override firstUpdated(): void {
    if (this.filter === '') this.querySelector<HTMLInputElement>('input.filter')?.focus()
  }

  protected override render(): TemplateResult {
    return view({
      api: this.api,
      filter: this.filter,
      hits: this.#hits,
      more: this.#next !== null,
      facets: this.#facets,
      asked: this.filter === '' ? undefined : this.#question,
      behind: this.#behind,
      onFilter: (filter) => {
        if (filter === this.filter) void this.#load()
        else this.dispatchEvent(new FilterEvent(filter))
      },
      onMore: () => void this.#load(this.#next ?? undefined),
      onRetry: () => void this.#load(),
    })
  }

  async #load(cursor?: string): Promise<void> {
    await this.#question.ask(async (signal) => {
      const first = { facets: 'true' } as const
      const query = { q: this.filter, limit: PAGE_SIZE, ...(cursor === undefined ? first : { cursor }) }
      const page = await this.api.search(query, signal)
      this.#hits = cursor === undefined ? page.hits : [...this.#hits, ...page.hits]
      this.#next = page.next
      this.#facets = page.facets ?? this.#facets
      this.#behind = page.lag.state === 'following' ? 0 : page.lag.sessions
    })
  }
}
customElements.define('search-page', SearchPage)
