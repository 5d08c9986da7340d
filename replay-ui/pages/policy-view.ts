import { html, nothing, type TemplateResult } from 'lit'
import type { PolicyState, PolicyTried } from '../../schemas/api.ts'
import { counted, countText, dateText } from '../data/format.ts'
import type { PolicyChange, PolicyRule } from '../data/policy-diff.ts'
import { empty, failed, loading } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import { safe } from '../elements/safe.ts'
import { searchPath } from '../router.ts'

export interface PolicyInput {
  readonly asked: Asked
  readonly policy: PolicyState | undefined
  /** Of the policy in force; undefined where its text was not kept. */
  readonly rules: readonly PolicyRule[] | undefined
  /** Which activation is looked into. */
  readonly picked: string | undefined
  readonly changes: readonly PolicyChange[] | undefined
  readonly changesProblem: string
  readonly tried: PolicyTried | undefined
  readonly triedProblem: string
  readonly busy: boolean
  readonly onPick: (policy: string, previous: string) => void
  readonly onTry: (event: SubmitEvent) => void
  readonly onRetry: () => void
}

const SHORT = 12

export function view(input: PolicyInput): TemplateResult {
  return html`<main class="page policy" id="main">
    ${input.asked.state === 'loading' ? loading('Reading the policy …') : input.asked.state === 'failed' ? failed(input.asked, input.onRetry) : here(input)}
  </main>`
}

function here(input: PolicyInput): TemplateResult {
  const { policy, rules } = input
  if (policy === undefined) return empty('No policy', 'The ledger tells of none yet.')
  return html`<section class="card" aria-labelledby="policy-title">
      <h1 id="policy-title">Policy</h1>
      ${
        policy.inForce === null
          ? html`<p class="muted">No start, change or session in the ledger names a policy${since(policy)}.</p>`
          : html`<p>In force: <code class="policy-hash">${policy.inForce}</code></p>`
      }
      ${rules === undefined ? html`<p class="muted">Its text was not kept beside the recordings.</p>` : ruleTable(rules, policy)}
    </section>
    ${trial(input)} ${history(input)}`
}

function since({ lookedTo }: PolicyState): string {
  return lookedTo === null ? '' : ` since ${dateText(lookedTo)}`
}

function ruleTable(rules: readonly PolicyRule[], { hits, days }: PolicyState): TemplateResult {
  const byRule = new Map(hits.map((one) => [one.rule, one]))
  const named = new Set(rules.map(({ id, shadow }) => (shadow ? `shadow:${id}` : id)))
  const others = hits.filter(({ rule }) => !named.has(rule))
  const count = (rule: string): TemplateResult => {
    const hit = byRule.get(rule)
    if (hit === undefined) return html`<span class="muted">none</span>`
    return html`<a href=${searchPath(`rule:${rule} since:${days}d`)}>${countText(hit.statements)}</a> <span class="muted">in ${counted(hit.sessions, 'session')}</span>`
  }
  return html`<div class="policy-scroll" tabindex="0" role="region" aria-label="Rules"><table class="policy-rules">
    <thead><tr><th scope="col">Rule</th><th scope="col">Does</th><th scope="col">Commands hit, ${days} days</th><th scope="col">Reason, and when</th></tr></thead>
    <tbody>
      ${rules.map(
        ({ id, action, shadow, reason, when }) => html`<tr>
        <td><code class="rule">${safe(id)}</code></td>
        <td>${safe(action)}${shadow ? html` <span class="mark mark-hold" title="takes notes only">shadow</span>` : nothing}</td>
        <td>${count(shadow ? `shadow:${id}` : id)}</td>
        <td>${safe(reason)}${when === '{}' ? nothing : html`<details><summary>when</summary><code class="policy-when">${safe(when)}</code></details>`}</td>
      </tr>`,
      )}
      ${others.map(({ rule }) => html`<tr><td><code class="rule">${safe(rule)}</code></td><td class="muted">built in, or of another policy</td><td>${count(rule)}</td><td></td></tr>`)}
    </tbody>
  </table></div>
  ${rules.length + others.length === 0 ? html`<p class="muted">It has no rules.</p>` : nothing}`
}

function trial({ tried, triedProblem, busy, onTry }: PolicyInput): TemplateResult {
  return html`<section class="card" aria-labelledby="policy-try">
    <h2 id="policy-try">Try a command</h2>
    <p class="muted">Judged as the first command of a session, by the policy file as it stands. Nothing is sent anywhere; that you asked is in the ledger.</p>
    <form class="policy-try" @submit=${onTry}>
      <label>Target <input name="target" required maxlength="200" autocomplete="off"></label>
      <label>Identity <input name="subject" maxlength="200" autocomplete="off" placeholder="yourself"></label>
      <label class="wide">Command <textarea name="command" required maxlength="10000" rows="3" spellcheck="false"></textarea></label>
      <button type="submit" class="primary" ?disabled=${busy}>Judge it</button>
    </form>
    ${triedProblem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(triedProblem)}</p>`}
    ${
      tried === undefined
        ? nothing
        : html`<div role="status" class="policy-tried">
            <p><b class="mark mark-${tried.act === 'allow' ? 'released' : tried.act}">${safe(tried.act)}</b>
            ${tried.rules.length === 0 ? 'no rule matches' : tried.rules.map((rule) => html`<code class="rule">${safe(rule)}</code> `)}
            ${tried.reason === null ? nothing : safe(tried.reason)} ${tried.hint === null ? nothing : html`<span class="muted">${safe(tried.hint)}</span>`}</p>
            <p class="muted">${safe(tried.subject)} on ${safe(tried.target)}, policy <code>${safe(tried.policy)}</code></p>
            <dl class="policy-facts">${tried.facts.map(([name, value]) => html`<dt>${safe(name)}</dt><dd>${safe(value, true)}</dd>`)}</dl>
          </div>`
    }
  </section>`
}

function history({ policy, picked, changes, changesProblem, onPick }: PolicyInput): TemplateResult {
  const activations = policy?.activations ?? []
  return html`<section class="card" aria-labelledby="policy-history">
    <h2 id="policy-history">Came into force</h2>
    ${activations.length === 0 ? html`<p class="muted">Nothing is told${policy === undefined ? nothing : since(policy)}.</p>` : nothing}
    <ol class="policy-history">${activations.map(({ policy: hash, previous, at, gateway, by, request }, index) => {
      const before = previous ?? activations[index + 1]?.policy
      return html`<li>
        <time datetime=${at}>${dateText(at)}</time> <code>${hash.slice(0, SHORT)}</code>
        ${by === null ? html`<span class="muted">with the start of ${safe(gateway)}</span>` : html`by ${safe(by)} <span class="muted">at ${safe(gateway)}</span>`}
        ${request === null ? nothing : html`upon <a href=${`/approvals/${encodeURIComponent(request)}`}>${safe(request)}</a>`}
        ${before === undefined ? nothing : html`<button type="button" aria-expanded=${picked === hash} @click=${() => onPick(hash, before)}>What changed</button>`}
        ${picked === hash ? difference(changes, changesProblem) : nothing}
      </li>`
    })}</ol>
    ${policy !== undefined && policy.lookedTo !== null && activations.length > 0 ? html`<p class="muted">Older entries than ${dateText(policy.lookedTo)} were not looked at.</p>` : nothing}
  </section>`
}

function difference(changes: readonly PolicyChange[] | undefined, problem: string): TemplateResult {
  if (problem !== '') return html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`
  if (changes === undefined) return loading('Reading both …')
  if (changes.length === 0) return html`<p class="muted">Nothing.</p>`
  return html`${changes.map(
    ({ what, before, after }) => html`<div class="policy-change">
    <b>${safe(what)}</b> <span class="muted">${before === undefined ? 'came' : after === undefined ? 'went' : 'changed'}</span>
    ${before === undefined ? nothing : html`<pre class="policy-gone" tabindex="0" aria-label="before">${safe(before, true)}</pre>`}
    ${after === undefined ? nothing : html`<pre class="policy-come" tabindex="0" aria-label="after">${safe(after, true)}</pre>`}
  </div>`,
  )}`
}
