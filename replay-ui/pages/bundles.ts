import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { BundleAsk, BundleJob } from '../../schemas/api.ts'
import { API_BASE } from '../../schemas/api-names.ts'
import type { Api } from '../data/api.ts'
import { sizeText } from '../data/format.ts'
import { failed, loading } from '../elements/marks.ts'
import { type Asked, Question } from '../elements/question.ts'
import { safe } from '../elements/safe.ts'

/** How often a bundle that is being made is asked after. */
const ASK_EVERY_MS = 1_000

export interface BundlesInput {
  readonly asked: Asked
  readonly bundles: readonly BundleJob[]
  /** Why none is being made. */
  readonly problem: string
  readonly busy: boolean
  /** Days that stand in the form before anybody has changed it. */
  readonly from: string
  readonly to: string
  readonly onSubmit: (event: SubmitEvent) => void
  readonly onRetry: () => void
}

const PHASES = { log: 'Reading the ledger', tapes: 'Looking into recordings', sample: 'Copying the sample' } as const
const FRAMEWORK_NAMES = { soc2: 'SOC 2', iso27001: 'ISO 27001', pci: 'PCI DSS' } as const

export function view(input: BundlesInput): TemplateResult {
  const { problem, busy, from, to, onSubmit } = input
  return html`<main class="page bundles" id="main">
    <form class="card bundle-form" @submit=${onSubmit} aria-labelledby="bundle-title">
      <h1 id="bundle-title">Audit bundle</h1>
      <p class="muted">Every session of a period and what became of its recording, approvals, policy changes and custody, with a sample, proofs, a player and verifiers: one file, no server needed to read it.</p>
      <div class="bundle-fields">
        <label>From <input name="from" type="date" required .value=${from}></label>
        <label>To, before <input name="to" type="date" required .value=${to}></label>
        <label>Framework <select name="framework">${Object.entries(FRAMEWORK_NAMES).map(([id, name]) => html`<option value=${id}>${name}</option>`)}</select></label>
        <label>Sample <input name="sample" type="number" min="0" max="10000" value="25" required></label>
        <label>Seed, the auditor’s <input name="seed" maxlength="200" autocomplete="off" placeholder="made up, and told"></label>
        <label class="wide">Only targets, with commas <input name="target" maxlength="2000" autocomplete="off" placeholder="all"></label>
        <label class="wide">Only identities, with commas <input name="identity" maxlength="2000" autocomplete="off" placeholder="all"></label>
        <label class="wide">Only targets with labels <input name="labels" maxlength="2000" autocomplete="off" placeholder="env=prod, tier=1"></label>
        <label class="check"><input name="small" type="checkbox"> Small pack, at most 50 MB</label>
        <label class="wide">Reason, for the ledger <input name="reason" maxlength="500" autocomplete="off"></label>
      </div>
      ${problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`}
      <button type="submit" class="primary" ?disabled=${busy}>${busy ? 'One is being made …' : 'Make it'}</button>
    </form>
    <section class="card bundle-list" aria-label="Bundles">
      ${list(input)}
    </section>
  </main>`
}

function list({ asked, bundles, onRetry }: BundlesInput): TemplateResult {
  if (bundles.length > 0) return html`${asked.state === 'failed' ? failed(asked, onRetry) : nothing}<ul>${bundles.map(row)}</ul>`
  if (asked.state === 'failed') return failed(asked, onRetry)
  return asked.state === 'loading' ? loading('Loading …') : html`<p class="muted">None was made here yet.</p>`
}

function row(job: BundleJob): TemplateResult {
  const { id, framework, from, to, by, state, seed } = job
  const only = [...job.scope.target, ...job.scope.identity].join(', ')
  return html`<li class="bundle-row">
    <div><b>${FRAMEWORK_NAMES[framework]}</b> <span>${from.slice(0, 10)} to ${to.slice(0, 10)}</span> <span class="muted">${only === '' ? nothing : html`only ${safe(only)}, `}by ${safe(by)}, seed <code>${safe(seed)}</code></span></div>
    ${
      state === 'running'
        ? html`<div role="status">${job.phase === null ? 'Beginning' : PHASES[job.phase]} <progress max=${Math.max(1, job.of)} .value=${job.done} aria-label="How far"></progress> <span class="muted">${job.done} of ${job.of}</span></div>`
        : state === 'failed'
          ? html`<div class="notice notice-error">${safe(job.problem ?? 'It failed.')}</div>`
          : html`<div>${job.sessions} sessions, ${job.gaps === 0 ? 'no gaps' : html`<b class="bundle-gaps">${job.gaps} missing, damaged or not ended</b>`}
              · <a href=${`${API_BASE}/bundles/${encodeURIComponent(id)}/file`} download>Download, ${sizeText(job.size ?? 0)}</a>
              ${job.problem === null ? nothing : html`<div class="notice">${safe(job.problem)}</div>`}
              <div class="muted">manifest <code>${job.sha256 ?? ''}</code></div></div>`
    }
  </li>`
}

function parts(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** A label without a value has none that a target could have: the gateway says so. */
function scopeOf(target: string[], identity: string[], labels: string[]): Pick<BundleAsk, 'scope'> {
  if (target.length + identity.length + labels.length === 0) return {}
  const pairs = labels.map((each): [string, string] => {
    const [name = '', ...value] = each.split('=')
    return [name.trim(), value.join('=').trim()]
  })
  return { scope: { target, identity, ...(pairs.length === 0 ? {} : { labels: Object.fromEntries(pairs) }) } }
}

export class BundlesPage extends LitElement {
  static override properties = { api: { attribute: false } }
  declare api: Api
  #bundles: readonly BundleJob[] = []
  readonly #question = new Question(this)
  #problem = ''
  #timer: ReturnType<typeof setTimeout> | undefined

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override firstUpdated(): void {
    void this.#ask()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearTimeout(this.#timer)
  }

  protected override render(): TemplateResult {
    const now = new Date()
    // The quarter before this one.
    const quarter = Date.UTC(now.getUTCFullYear(), Math.floor(now.getUTCMonth() / 3) * 3, 1)
    const before = new Date(quarter)
    before.setUTCMonth(before.getUTCMonth() - 3)
    return view({
      asked: this.#question,
      bundles: this.#bundles,
      problem: this.#problem,
      busy: this.#bundles.some(({ state }) => state === 'running'),
      from: before.toISOString().slice(0, 10),
      to: new Date(quarter).toISOString().slice(0, 10),
      onSubmit: (event) => void this.#start(event),
      onRetry: () => void this.#ask(),
    })
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#question.ask(async (signal) => {
      this.#bundles = (await this.api.bundles(signal)).bundles
    })
    const runs = this.#bundles.some(({ state }) => state === 'running')
    if (runs && this.isConnected) this.#timer = setTimeout(() => void this.#ask(), ASK_EVERY_MS)
  }

  async #start(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const form = new FormData(event.target)
    const text = (name: string): string => String(form.get(name) ?? '').trim()
    const framework = text('framework')
    if (framework !== 'soc2' && framework !== 'iso27001' && framework !== 'pci') return
    this.#problem = ''
    try {
      await this.api.startBundle({
        from: `${text('from')}T00:00:00Z`,
        to: `${text('to')}T00:00:00Z`,
        framework,
        sample: Number(text('sample')),
        ...scopeOf(parts(text('target')), parts(text('identity')), parts(text('labels'))),
        ...(form.has('small') ? { small: true } : {}),
        ...(text('seed') === '' ? {} : { seed: text('seed') }),
        ...(text('reason') === '' ? {} : { reason: text('reason') }),
      })
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error)
    }
    await this.#ask()
  }
}
customElements.define('bundles-page', BundlesPage)
