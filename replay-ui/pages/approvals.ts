import { LitElement, type TemplateResult } from 'lit'
import type { AccessAsk, AccessTargets, ApprovalView, ServerEvent, SimilarApprovals } from '../../schemas/api.ts'
import { type Api, ApiError } from '../data/api.ts'
import type { Live } from '../data/live.ts'
import { Question } from '../elements/question.ts'
import type { Act } from './approvals-acts.ts'
import { COMMAND_CHARS, view } from './approvals-view.ts'

const PAGE_SIZE = 100
/** How old a request is, and when it expires, is shown to the second near the end. */
const CLOCK_MS = 1_000

/** Wants another request in the address. */
export class PickEvent extends Event {
  readonly approval: string

  constructor(approval: string) {
    super('pick', { bubbles: true })
    this.approval = approval
  }
}

export class ApprovalsPage extends LitElement {
  static override properties = {
    api: { attribute: false },
    live: { attribute: false },
    up: { attribute: false },
    picked: { attribute: false },
  }
  declare api: Api
  declare live: Live
  declare up: boolean
  /** Id in the address. */
  declare picked: string | undefined
  #approvals: readonly ApprovalView[] = []
  #next: string | null = null
  readonly #list = new Question(this)
  /** What is being done, and about which. */
  #doing: { readonly id: string; readonly act: Act } | undefined
  /** The one that waits and was shown without an address: it stays, whatever arrives while somebody reads it. */
  #standing: string | undefined
  /** Of requests that were looked at. */
  readonly #similar = new Map<string, SimilarApprovals['similar']>()
  #access: AccessTargets = { targets: [] }
  #accessProblem = ''
  #decideProblem = ''
  /** By request: a half-written reason stays with its own. */
  readonly #reasons = new Map<string, string>()
  #chars = COMMAND_CHARS
  #gone = new AbortController()
  #clock: ReturnType<typeof setInterval> | undefined

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#gone = new AbortController()
    this.live.listen((event) => this.#heard(event), this.#gone.signal)
    this.#clock = setInterval(() => this.requestUpdate(), CLOCK_MS)
    void this.#load()
    void this.#loadAccess()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#gone.abort()
    clearInterval(this.#clock)
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('picked')) return
    this.#standing = undefined
    this.#chars = COMMAND_CHARS
    this.#decideProblem = ''
    if (this.hasUpdated && this.picked !== undefined && this.#picked() === undefined) void this.#load()
  }

  protected override render(): TemplateResult {
    const picked = this.#picked()
    if (this.picked === undefined && picked?.state === 'pending') this.#standing = picked.id
    return view({
      list: this.#list,
      up: this.up,
      approvals: this.#approvals,
      more: this.#next !== null,
      picked,
      missing: picked === undefined && this.#list.state === 'here' ? this.picked : undefined,
      chars: this.#chars,
      nowMs: Date.now(),
      similar: picked === undefined ? undefined : this.#similarTo(picked.id),
      access: { targets: this.#access, problem: this.#accessProblem, onAsk: (wish) => void this.#ask(wish) },
      decide: {
        busy: this.#doing !== undefined && this.#doing.id === picked?.id ? this.#doing.act : null,
        problem: this.#decideProblem,
        reason: picked === undefined ? '' : (this.#reasons.get(picked.id) ?? ''),
        onReason: (reason) => {
          if (picked !== undefined) this.#reasons.set(picked.id, reason)
          this.requestUpdate()
        },
        onDecide: (act) => {
          if (picked !== undefined) void this.#decide(picked.id, act)
        },
      },
      onPick: (id) => this.dispatchEvent(new PickEvent(id)),
      onMore: () => void this.#load(this.#next ?? undefined),
      onWhole: (approval) => void this.#whole(approval),
      onRetry: () => {
        void this.#load()
        void this.#loadAccess()
      },
    })
  }

  /** The one in the address and no other; where that names none the newest that waits, else the newest. */
  #picked(): ApprovalView | undefined {
    const named = this.picked ?? this.#standing
    const found = this.#approvals.find(({ id }) => id === named)
    if (this.picked !== undefined || found !== undefined) return found
    return this.#approvals.find(({ state }) => state === 'pending') ?? this.#approvals[0]
  }

  async #load(cursor?: string): Promise<void> {
    await this.#list.ask(async (signal) => {
      const page = await this.api.approvals({ limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }, signal)
      this.#approvals = cursor === undefined ? page.approvals : [...this.#approvals, ...page.approvals]
      this.#next = page.next
      if (this.picked !== undefined && !this.#approvals.some(({ id }) => id === this.picked)) {
        const named = await this.#named(this.picked, signal)
        if (named !== undefined) this.#approvals = [...this.#approvals, named]
      }
    })
  }

  /** Lists have the beginning of a long command; who wants to decide about it sees all of it. */
  async #whole({ id, command, commandChars }: ApprovalView): Promise<void> {
    try {
      if (command.length < commandChars) this.#put(await this.api.approval(id, this.#gone.signal))
      if (this.#isShown(id)) this.#chars = commandChars
      this.#tell(id, '')
    } catch (error) {
      if (!this.#gone.signal.aborted) this.#tell(id, messageOf(error))
    }
  }

  #isShown(id: string): boolean {
    return this.#picked()?.id === id
  }

  /** Beside the request that it is about: not beside another that was picked meanwhile. */
  #tell(id: string, problem: string): void {
    if (this.#isShown(id)) this.#decideProblem = problem
    this.requestUpdate()
  }

  async #named(id: string, signal: AbortSignal): Promise<ApprovalView | undefined> {
    try {
      return await this.api.approval(id, signal)
    } catch (error) {
      // A link to one that is not there, or not this reader's: the list stands by itself.
      if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return undefined
      throw error
    }
  }

  async #decide(id: string, act: Act): Promise<void> {
    const reason = (this.#reasons.get(id) ?? '').trim()
    this.#doing = { id, act }
    this.#decideProblem = ''
    // What was decided about stays in sight, whatever arrives meanwhile.
    if (this.picked !== id) this.dispatchEvent(new PickEvent(id))
    this.requestUpdate()
    try {
      this.#put(await this.#done(id, act, reason))
      this.#reasons.delete(id)
    } catch (error) {
      this.#tell(id, messageOf(error))
      // Somebody else was quicker: their decision is what is shown now, and the message stays beside it.
      if (error instanceof ApiError && error.code === 'APPROVAL_CONFLICT') await this.#refresh(id)
    } finally {
      if (this.#doing?.id === id) this.#doing = undefined
    }
    this.requestUpdate()
  }

  async #refresh(id: string): Promise<void> {
    try {
      const now = await this.#named(id, this.#gone.signal)
      if (now !== undefined) this.#put(now)
    } catch (error) {
      if (!this.#gone.signal.aborted) this.#tell(id, messageOf(error))
    }
  }

  #done(id: string, act: Act, reason: string): Promise<ApprovalView> {
    if (act === 'review') return this.api.review(id, reason)
    if (act === 'end') return this.api.endApproval(id, reason === '' ? undefined : reason)
    return this.api.decide(id, { act, ...(reason === '' ? {} : { reason }) })
  }

  /** What is known of it; asked for once. */
  #similarTo(id: string): SimilarApprovals['similar'] | undefined {
    const known = this.#similar.get(id)
    if (known !== undefined) return known
    this.#similar.set(id, [])
    this.api.similar(id, this.#gone.signal).then(
      ({ similar }) => {
        this.#similar.set(id, similar)
        this.requestUpdate()
      },
      // The request itself is what is decided about; without its like the page stands, and does not ask again and again.
      () => undefined,
    )
    return undefined
  }

  async #loadAccess(): Promise<void> {
    try {
      this.#access = await this.api.accessTargets(this.#gone.signal)
      this.#accessProblem = ''
    } catch (error) {
      if (this.#gone.signal.aborted) return
      this.#accessProblem = messageOf(error)
    }
    this.requestUpdate()
  }

  async #ask(wish: AccessAsk): Promise<void> {
    this.#accessProblem = ''
    try {
      const asked = await this.api.askAccess(wish)
      this.#put(asked)
      this.dispatchEvent(new PickEvent(asked.id))
    } catch (error) {
      this.#accessProblem = messageOf(error)
    }
    this.requestUpdate()
  }

  #heard({ event, data }: ServerEvent): void {
    if (event === 'approval') this.#put(data)
    else if (event === 'reset') void this.#load()
  }

  #put(approval: ApprovalView): void {
    const index = this.#approvals.findIndex(({ id }) => id === approval.id)
    const known = this.#approvals[index]
    // News have the beginning of a command; what was fetched whole stays whole.
    const command = known !== undefined && known.command.length > approval.command.length ? known.command : approval.command
    this.#approvals = known === undefined ? [approval, ...this.#approvals] : this.#approvals.with(index, { ...approval, command })
    this.requestUpdate()
  }
}
customElements.define('approvals-page', ApprovalsPage)

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
