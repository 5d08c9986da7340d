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
  readonly #asked = new Question(this)
  /** What was asked for the case that is shown, or to begin one. */
  readonly #deed = new Question(this)
  /** The one in the address, once it is here. */
  #one: CaseView | undefined
  #busy = false

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    void this.#load()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('picked')) return
    this.#one = undefined
    this.#busy = false
    this.#deed.drop()
    this.#deed.problem = ''
    if (this.picked === undefined) this.#asked.drop()
    else void this.#loadOne(this.picked)
  }

  protected override render(): TemplateResult {
    const { picked } = this
    return view({
      list: this.#list,
      cases: this.#cases,
      picked,
      asked: this.#asked,
      one: this.#one,
      deedProblem: this.#deed.problem,
      busy: this.#busy,
      mayBegin: this.mayBegin,
      onBegin: (title) => void this.#begin(title),
      onChange: (change) => void this.#change(change),
      onRetry: () => void this.#load(),
      onRetryOne: () => {
        if (picked !== undefined) void this.#loadOne(picked)
      },
    })
  }

  async #loadOne(id: string): Promise<void> {
    await this.#asked.ask(async (signal) => {
      this.#one = await this.api.caseView(id, signal)
    })
  }

  /** The case that the address names and that is shown, and no other. */
  async #change(change: CaseChange): Promise<void> {
    const id = this.picked
    if (id === undefined || this.#one === undefined) return
    await this.#do(async (signal) => {
      const changed = await this.api.changeCase(id, change)
      if (!signal.aborted) this.#one = changed
    })
    await this.#load()
  }

  async #begin(title: string): Promise<void> {
    await this.#do(async (signal) => {
      const { id } = await this.api.createCase(title)
      if (!signal.aborted) this.dispatchEvent(new GoEvent(`/cases/${id}`))
    })
    await this.#load()
  }

  /** One thing at a time; what goes wrong is said beside the case. */
  async #do(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    await this.#deed.ask(async (signal) => {
      try {
        await work(signal)
      } finally {
        if (!signal.aborted) this.#busy = false
      }
    })
  }

  async #load(): Promise<void> {
    await this.#list.ask(async (signal) => {
      this.#cases = (await this.api.cases(signal)).cases
    })
  }
}
customElements.define('cases-page', CasesPage)
