import { LitElement, type TemplateResult } from 'lit'
import type { CaseChange, CaseRow, CaseView } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import { Question } from '../elements/question.ts'
import { view } from './cases-view.ts'

/** Somebody wants this address. */
export class GoEvent extends Event {
  readonly to: string

  constructor(to: string) {
    super('go', { bubbles: true })
    this.to = to
  }
}

/** What people gathered, case by case. */
class CasesPage extends LitElement {
  static override properties = { api: { attribute: false }, picked: { attribute: false }, mayBegin: { attribute: false } }
  declare api: Pick<Api, 'cases' | 'caseView' | 'createCase' | 'changeCase'>
  declare picked: string | undefined
  declare mayBegin: boolean
  #cases: readonly CaseRow[] = []
  readonly #list = new Question(this)
  #one: CaseView | undefined
  #oneProblem = ''
  #busy = false
  #gone = new AbortController()

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
    void this.#load()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('picked')) return
    this.#one = undefined
    this.#oneProblem = ''
    const { picked } = this
    if (picked !== undefined) void this.#work(() => this.api.caseView(picked, this.#gone.signal))
  }

  protected override render(): TemplateResult {
    const { picked } = this
    return view({
      state: this.#list.state,
      problem: this.#list.problem,
      cases: this.#cases,
      picked,
      one: this.#one,
      oneProblem: this.#oneProblem,
      busy: this.#busy,
      mayBegin: this.mayBegin,
      onBegin: (title) => void this.#begin(title),
      onChange: (change: CaseChange) => {
        if (picked !== undefined) void this.#work(() => this.api.changeCase(picked, change)).then(() => this.#load())
      },
      onRetry: () => void this.#load(),
    })
  }

  async #begin(title: string): Promise<void> {
    await this.#work(() => this.api.createCase(title))
    await this.#load()
    if (this.#one !== undefined && this.#oneProblem === '') this.dispatchEvent(new GoEvent(`/cases/${this.#one.id}`))
  }

  /** One thing at a time; what goes wrong is said beside the case. */
  async #work(work: () => Promise<CaseView>): Promise<void> {
    this.#busy = true
    this.#oneProblem = ''
    this.requestUpdate()
    try {
      this.#one = await work()
    } catch (error) {
      if (this.#gone.signal.aborted) return
      this.#oneProblem = error instanceof Error ? error.message : String(error)
    } finally {
      this.#busy = false
    }
    this.requestUpdate()
  }

  async #load(): Promise<void> {
    await this.#list.ask(async (signal) => {
      this.#cases = (await this.api.cases(signal)).cases
    })
  }
}
customElements.define('cases-page', CasesPage)
