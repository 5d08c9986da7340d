import { LitElement, type TemplateResult } from 'lit'
import type { FindingExplained, FindingView, ServerEvent } from '../../schemas/api.ts'
import type { DispositionState, FindingRow } from '../../schemas/findings.ts'
import type { PullTotal } from '../../schemas/search.ts'
import type { Api } from '../data/api.ts'
import type { Live } from '../data/live.ts'
import type { CaseAdder } from '../elements/case-adder.ts'
import { Question } from '../elements/question.ts'
import { view } from './findings-view.ts'

const PAGE_SIZE = 50
const WEEK_MS = 7 * 86_400_000

/** What detectors found, each with its evidence; people judge it here. */
class FindingsPage extends LitElement {
  static override properties = { api: { attribute: false }, live: { attribute: false }, picked: { attribute: false } }
  declare api: Api
  declare live: Live
  declare picked: string | undefined
  #findings: readonly FindingRow[] = []
  #next: string | null = null
  readonly #list = new Question(this)
  readonly #totals = new Question(this)
  #onlyOpen = false
  #pulls: readonly PullTotal[] = []
  #finding: FindingView | undefined
  #findingProblem = ''
  #explained: FindingExplained | undefined
  #reason = ''
  #busy = false
  #gone = new AbortController()

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
    this.live.listen((event) => this.#heard(event), this.#gone.signal)
    void this.#load()
    void this.#loadPulls()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('picked')) return
    this.#finding = undefined
    this.#explained = undefined
    this.#findingProblem = ''
    this.#reason = ''
    const { picked } = this
    if (picked !== undefined)
      void this.#work(async () => {
        this.#finding = await this.api.finding(picked, this.#gone.signal)
      })
  }

  protected override render(): TemplateResult {
    return view({
      api: this.api,
      onCase: () => {
        const id = this.#finding?.id
        if (id !== undefined) void this.querySelector<CaseAdder>('case-adder')?.ask({ kind: 'finding', finding: id })
      },
      state: this.#list.state,
      problem: this.#list.problem || this.#totals.problem,
      findings: this.#findings,
      more: this.#next !== null,
      onlyOpen: this.#onlyOpen,
      pulls: this.#pulls,
      picked: this.picked,
      finding: this.#finding,
      findingProblem: this.#findingProblem,
      explained: this.#explained,
      busy: this.#busy,
      reason: this.#reason,
      onOnlyOpen: (only) => {
        this.#onlyOpen = only
        void this.#load()
      },
      onReason: (reason) => {
        this.#reason = reason
        this.requestUpdate()
      },
      onJudge: (state) => void this.#judge(state),
      onExplain: () => {
        const id = this.#finding?.id
        if (id !== undefined)
          void this.#work(async () => {
            this.#explained = await this.api.explainFinding(id, this.#gone.signal)
          })
      },
      onMore: () => void this.#load(this.#next ?? undefined),
      onRetry: () => void this.#load(),
    })
  }

  async #judge(state: DispositionState): Promise<void> {
    const id = this.#finding?.id
    if (id === undefined) return
    await this.#work(async () => {
      this.#finding = await this.api.disposeFinding(id, { state, reason: this.#reason.trim() })
      this.#reason = ''
    })
    void this.#load()
  }

  /** One thing at a time; what goes wrong is said beside the finding. */
  async #work(work: () => Promise<void>): Promise<void> {
    this.#busy = true
    this.#findingProblem = ''
    this.requestUpdate()
    try {
      await work()
    } catch (error) {
      if (this.#gone.signal.aborted) return
      this.#findingProblem = error instanceof Error ? error.message : String(error)
    } finally {
      this.#busy = false
    }
    this.requestUpdate()
  }

  async #load(cursor?: string): Promise<void> {
    await this.#list.ask(async (signal) => {
      const open = this.#onlyOpen ? ({ state: 'open' } as const) : {}
      const page = await this.api.findings({ limit: PAGE_SIZE, ...open, ...(cursor === undefined ? {} : { cursor }) }, signal)
      this.#findings = cursor === undefined ? page.findings : [...this.#findings, ...page.findings]
      this.#next = page.next
    })
  }

  async #loadPulls(): Promise<void> {
    await this.#totals.ask(async (signal) => {
      const since = new Date(Date.now() - WEEK_MS).toISOString()
      this.#pulls = (await this.api.pulls({ since }, signal)).pulls
    })
  }

  #heard({ event }: ServerEvent): void {
    if (event === 'finding' || event === 'reset') void this.#load()
  }
}
customElements.define('findings-page', FindingsPage)
