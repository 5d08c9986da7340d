import { LitElement, type TemplateResult } from 'lit'
import type { PolicyState, PolicyTried } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import { type PolicyChange, type PolicyRule, policyChanges, rulesOf } from '../data/policy-diff.ts'
import { Question } from '../elements/question.ts'
import { view } from './policy-view.ts'

/** Which policy is in force, what its rules hit, how it came to be, and what it says of a command. */
class PolicyPage extends LitElement {
  static override properties = { api: { attribute: false } }
  declare api: Api
  readonly #question = new Question(this)
  #policy: PolicyState | undefined
  #rules: readonly PolicyRule[] | undefined
  #picked: string | undefined
  #changes: readonly PolicyChange[] | undefined
  #changesProblem = ''
  #tried: PolicyTried | undefined
  #triedProblem = ''
  #busy = false

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override firstUpdated(): void {
    void this.#load()
  }

  protected override render(): TemplateResult {
    return view({
      asked: this.#question,
      policy: this.#policy,
      rules: this.#rules,
      picked: this.#picked,
      changes: this.#changes,
      changesProblem: this.#changesProblem,
      tried: this.#tried,
      triedProblem: this.#triedProblem,
      busy: this.#busy,
      onPick: (policy, previous) => void this.#compare(policy, previous),
      onTry: (event) => void this.#try(event),
      onRetry: () => void this.#load(),
    })
  }

  async #load(): Promise<void> {
    await this.#question.ask(async (signal) => {
      const policy = await this.api.policy(signal)
      this.#policy = policy
      this.#rules = policy.inForce === null ? undefined : await this.#text(policy.inForce).then(rulesOf, () => undefined)
    })
  }

  async #text(policy: string): Promise<string> {
    return (await this.api.policyText(policy)).text
  }

  async #compare(policy: string, previous: string): Promise<void> {
    this.#picked = this.#picked === policy ? undefined : policy
    this.#changes = undefined
    this.#changesProblem = ''
    this.requestUpdate()
    if (this.#picked === undefined) return
    try {
      const changes = policyChanges(await this.#text(previous), await this.#text(policy))
      // Another may have been picked meanwhile.
      if (this.#picked === policy) this.#changes = changes
    } catch (error) {
      if (this.#picked === policy) this.#changesProblem = said(error)
    }
    this.requestUpdate()
  }

  async #try(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const form = new FormData(event.target)
    const text = (name: string): string => String(form.get(name) ?? '').trim()
    const subject = text('subject')
    this.#busy = true
    this.#tried = undefined
    this.#triedProblem = ''
    this.requestUpdate()
    try {
      const ask = { target: text('target'), command: text('command'), ...(subject === '' ? {} : { subject }) }
      this.#tried = await this.api.tryPolicy(ask)
    } catch (error) {
      this.#triedProblem = said(error)
    } finally {
      this.#busy = false
    }
    this.requestUpdate()
  }
}
customElements.define('policy-page', PolicyPage)

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
