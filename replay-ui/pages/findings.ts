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
  readonly #one = new Question(this)
  /** What was asked for the finding that is shown: to judge it, to run its detector. */
  readonly #deed = new Question(this)
  #onlyOpen = false
  #pulls: readonly PullTotal[] = []
  /** The one in the address, once it is here. */
  #finding: FindingView | undefined
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
    this.#reason = ''
    this.#busy = false
    this.#deed.drop()
    this.#deed.problem = ''
    if (this.picked === undefined) this.#one.drop()
    else void this.#loadOne(this.picked)
  }

  protected override render(): TemplateResult {
    const { picked } = this
    return view({
      api: this.api,
      onCase: () => {
        if (this.#finding !== undefined)
          void this.querySelector<CaseAdder>('case-adder')?.ask({ kind: 'finding', finding: this.#finding.id })
      },
      list: this.#list,
      findings: this.#findings,
      more: this.#next !== null,
      onlyOpen: this.#onlyOpen,
      totals: this.#totals,
      pulls: this.#pulls,
      picked,
      one: this.#one,
      finding: this.#finding,
      deedProblem: this.#deed.problem,
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
      onExplain: () => void this.#explain(),
      onMore: () => void this.#load(this.#next ?? undefined),
      onRetry: () => void this.#load(),
      onRetryTotals: () => void this.#loadPulls(),
      onRetryOne: () => {
        if (picked !== undefined) void this.#loadOne(picked)
      },
    })
  }

  async #loadOne(id: string): Promise<void> {
    await this.#one.ask(async (signal) => {
      this.#finding = await this.api.finding(id, signal)
    })
  }

  async #judge(state: DispositionState): Promise<void> {
    const reason = this.#reason.trim()
    await this.#do(async (id, signal) => {
      const judged = await this.api.disposeFinding(id, { state, reason })
      if (signal.aborted) return
      this.#finding = judged
      this.#reason = ''
    })
    void this.#load()
  }

  async #explain(): Promise<void> {
    await this.#do(async (id, signal) => {
      this.#explained = await this.api.explainFinding(id, signal)
    })
  }

  /** One thing at a time, with the finding that the address names and that is shown; what goes wrong is said beside it. */
  async #do(work: (id: string, signal: AbortSignal) => Promise<void>): Promise<void> {
    const id = this.picked
    if (id === undefined || this.#finding?.id !== id || this.#busy) return
    this.#busy = true
    await this.#deed.ask(async (signal) => {
      try {
        await work(id, signal)
      } finally {
        if (!signal.aborted) this.#busy = false
      }
    })
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
