import { html, nothing, type TemplateResult } from 'lit'
import type { SessionState } from '../../schemas/api-names.ts'
import type { Act } from '../../schemas/verdict.ts'
import type { Asked } from './question.ts'
import { safe } from './safe.ts'

const ACT_WORDS: Readonly<Record<Act, string>> = { allow: 'allowed', mask: 'masked', block: 'blocked', hold: 'held' }

/** What policy did; by word and colour, never by colour alone. */
export function actMark(act: Act | null, approval?: string | null): TemplateResult | typeof nothing {
  if (act === null) return nothing
  if (act === 'allow') {
    if (approval === undefined || approval === null) return nothing
    return html`<span class="mark mark-released">released</span>`
  }
  return html`<span class="mark mark-${act}">${ACT_WORDS[act]}</span>`
}

const STATE_WORDS: Readonly<Record<SessionState, string>> = { live: 'Live', sealed: 'Sealed', incomplete: 'Incomplete' }

export function stateMark(state: SessionState): TemplateResult {
  return html`<span class="state state-${state}"><i aria-hidden="true"></i>${STATE_WORDS[state]}</span>`
}

/** Rule names, each its own. */
export function ruleNames(rules: readonly string[]): TemplateResult | typeof nothing {
  if (rules.length === 0) return nothing
  return html`${rules.map((rule) => html`<code class="rule">${safe(rule)}</code>`)}`
}

/** Redacted text, with what was redacted named and hatched: `[MASKED:email:3cf6]`. */
export function redacted(text: string): TemplateResult {
  const parts = text.split(/(\[MASKED:[a-z0-9-]{1,40}(?::[0-9a-f]{1,32})?\])/)
  return html`${parts.map((part, index) => {
    if (index % 2 === 0) return safe(part, true)
    const entity = /^\[MASKED:([^:\]]+)/.exec(part)?.[1] ?? 'value'
    return html`<span class="masked" title="masked before it was shown: ${entity}">${part}</span>`
  })}`
}

export function failure(what: string, onRetry?: () => void): TemplateResult {
  return html`<div class="notice notice-error" role="alert">
    <p>${safe(what)}</p>
    ${onRetry === undefined ? nothing : html`<button type="button" @click=${onRetry}>Try again</button>`}
  </div>`
}

/** A question that failed, which can be asked again where that may help. */
export function failed({ problem, again }: Asked, onRetry: () => void): TemplateResult {
  return failure(problem, again ? onRetry : undefined)
}

export function empty(title: string, more: string): TemplateResult {
  return html`<div class="empty"><p class="empty-title">${title}</p><p>${more}</p></div>`
}

export function loading(what: string): TemplateResult {
  return html`<div class="empty" role="status"><span class="spinner" aria-hidden="true"></span><p>${what}</p></div>`
}
