import { html, nothing, type TemplateResult } from 'lit'
import type { AccessAsk, AccessTargets, ApprovalView, SimilarApprovals } from '../../schemas/api.ts'
import { agoText } from '../data/format.ts'
import { safe, safeLine } from '../elements/safe.ts'

/** What somebody does about a request beside approving and rejecting it. */
export type Act = 'approve' | 'reject' | 'break-glass' | 'review' | 'end'

/** What somebody has done about it. */
export const DECISION_WORDS = { approve: 'approved', reject: 'rejected', 'break-glass': 'broke the glass' } as const

const STATE_WORDS: Readonly<Record<ApprovalView['state'], string>> = {
  pending: 'waiting',
  approved: 'approved',
  rejected: 'rejected',
  expired: 'expired',
  withdrawn: 'withdrawn',
  consumed: 'approved and used',
}

export function approvalMark(state: ApprovalView['state']): TemplateResult {
  return html`<span class="mark mark-a-${state}">${STATE_WORDS[state]}</span>`
}

/** What was decided about requests like this one; undefined while it is asked for. */
export function similarView(similar: SimilarApprovals['similar'] | undefined, nowMs: number): TemplateResult | typeof nothing {
  if (similar === undefined || similar.length === 0) return nothing
  return html`<h3>Decided before, about the like</h3>
    <ul class="decisions">${similar.map(
      (one) =>
        html`<li>${approvalMark(one.state)} <a href="/approvals/${one.id}"><code>${one.id}</code></a> ${safeLine(one.requester, 60)} <span class="muted">${agoText(one.createdAt, nowMs)}${one.same ? ', the same text' : ''}</span>${one.decisions.map(({ act, by, reason }) => html`<p><b>${safeLine(by, 60)}</b> ${DECISION_WORDS[act]}${reason === undefined ? nothing : html`: ${safe(reason)}`}</p>`)}</li>`,
    )}</ul>`
}

/** Breaking the glass, reviewing that, ending access: each where this reader may. All take the reason written above them. */
export function otherActs(
  { may, state, access }: ApprovalView,
  { busy, reason, onAct }: { readonly busy: Act | null; readonly reason: string; readonly onAct: (act: Act) => void },
): TemplateResult | typeof nothing {
  const empty = reason.trim() === ''
  const button = (act: Act, text: string, kind: string, needs: boolean): TemplateResult =>
    html`<button type="button" class=${kind} ?disabled=${busy !== null || (needs && empty)} @click=${() => onAct(act)}>${text}</button>`
  const buttons = [
    ...(state === 'pending' && may.breakGlass ? [button('break-glass', 'Break the glass', 'danger', true)] : []),
    ...(may.review ? [button('review', 'Write the review', 'primary', true)] : []),
    ...(may.end
      ? [button('end', access !== undefined && state === 'approved' ? 'End access now' : 'Take it back', 'plain', false)]
      : []),
  ]
  return buttons.length === 0 ? nothing : html`<div class="buttons others">${buttons}</div>`
}

/** Of broken glass: whether somebody has looked into it, and what they say. */
export function reviewView({ decisions, review }: ApprovalView): TemplateResult | typeof nothing {
  if (decisions.at(-1)?.act !== 'break-glass') return nothing
  return review === undefined
    ? html`<p class="notice notice-part">The glass was broken for this, and nobody has reviewed it yet.</p>`
    : html`<p class="notice">Reviewed by <b>${safeLine(review.by, 80)}</b>: ${safe(review.note)}</p>`
}

/** Asking for access to a target for a while. */
export function accessView(
  { targets }: AccessTargets,
  { problem, onAsk }: { readonly problem: string; readonly onAsk: (wish: AccessAsk) => void },
): TemplateResult | typeof nothing {
  if (targets.length === 0)
    return problem === ''
      ? nothing
      : html`<p class="notice notice-error" role="alert">Where you may ask for access is not known: ${safe(problem)}</p>`
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const data = new FormData(event.target)
    onAsk({ target: String(data.get('target')), minutes: Number(data.get('minutes')), reason: String(data.get('reason')) })
  }
  const most = Math.max(...targets.map(({ maxMinutes }) => maxMinutes))
  return html`<details class="pane ask-access">
    <summary>Ask for access</summary>
    <form class="decide" @submit=${submit}>
      <label>Target <select name="target">${targets.map(({ target, maxMinutes }) => html`<option value=${target}>${target} (at most ${maxMinutes} min)</option>`)}</select></label>
      <label>Minutes <input name="minutes" type="number" min="1" max=${most} value=${Math.min(60, most)} required></label>
      <label>Reason <textarea name="reason" rows="2" maxlength="2000" required></textarea></label>
      ${problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`}
      <div class="buttons"><button type="submit" class="primary">Ask</button></div>
    </form>
  </details>`
}
