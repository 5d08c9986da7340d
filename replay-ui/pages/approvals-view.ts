import { html, nothing, type TemplateResult } from 'lit'
import type { AccessAsk, AccessTargets, ApprovalView, SimilarApprovals } from '../../schemas/api.ts'
import { agoText, counted, countText, dateText } from '../data/format.ts'
import { copyButton } from '../elements/copy-text.ts'
import { empty, failed, loading, redacted, ruleNames } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import { safe, safeLine, whole } from '../elements/safe.ts'
import { replayPath } from '../router.ts'
import { type Act, accessView, approvalMark, DECISION_WORDS, otherActs, reviewView, similarView } from './approvals-acts.ts'

export interface DecideInput {
  readonly busy: Act | null
  readonly problem: string
  readonly reason: string
  readonly onReason: (reason: string) => void
  readonly onDecide: (act: Act) => void
}

export interface ApprovalsInput {
  readonly list: Asked
  readonly up: boolean
  readonly approvals: readonly ApprovalView[]
  readonly more: boolean
  readonly picked: ApprovalView | undefined
  /** Named in the address, and not there or not this reader's. */
  readonly missing?: string | undefined
  /** Characters of the picked command that are shown. */
  readonly chars: number
  readonly nowMs: number
  readonly decide: DecideInput
  /** Of the picked one; undefined until they are here. */
  readonly similar: SimilarApprovals['similar'] | undefined
  readonly access: { readonly targets: AccessTargets; readonly problem: string; readonly onAsk: (wish: AccessAsk) => void }
  readonly onPick: (id: string) => void
  readonly onMore: () => void
  /** Wants to see all of its command. */
  readonly onWhole: (approval: ApprovalView) => void
  readonly onRetry: () => void
}

/** Shown at once; a longer command says how much more there is. */
export const COMMAND_CHARS = 20_000

export function view(input: ApprovalsInput): TemplateResult {
  const { list, approvals, picked } = input
  const pending = approvals.filter((one) => one.state === 'pending')
  const rest = approvals.filter((one) => one.state !== 'pending')
  return html`<main class="page approvals" id="main">
    <header class="page-head">
      <h1>Approvals</h1>
      <span class="count" role="status">${list.state === 'here' || approvals.length > 0 ? `${counted(pending.length, 'request')} waiting` : nothing}${input.up ? nothing : html` · <span class="wrong">live updates interrupted, reconnecting …</span>`}</span>
    </header>
    ${accessView(input.access.targets, input.access)}
    ${list.state === 'failed' ? failed(list, input.onRetry) : nothing}
    ${
      list.state === 'loading' && approvals.length === 0
        ? loading('Loading requests …')
        : approvals.length === 0
          ? list.state === 'failed'
            ? nothing
            : empty(
                'Nothing has been held',
                'When a rule holds a command, the request for it stands here until somebody decides.',
              )
          : html`<div class="inbox">
                <nav class="pane requests" aria-label="Requests">
                  <h2>Waiting <span class="count">${countText(pending.length)}</span></h2>
                  ${pending.length === 0 ? html`<p class="quiet">Nothing waits for a decision.</p>` : html`<ul>${pending.map((one) => requestRow(one, input))}</ul>`}
                  <h2>History</h2>
                  ${rest.length === 0 ? html`<p class="quiet">No decision yet.</p>` : html`<ul>${rest.map((one) => requestRow(one, input))}</ul>`}
                  ${input.more ? html`<button type="button" class="link" @click=${input.onMore}>Older requests</button>` : nothing}
                </nav>
                ${picked === undefined ? html`<section class="pane request"><p class="quiet" role="status">${input.missing === undefined ? 'Pick a request.' : html`There is no request ${safeLine(input.missing, 40)}, or it is not yours to see.`}</p></section>` : requestView(picked, input)}
              </div>`
    }
  </main>`
}

function requestRow(one: ApprovalView, { picked, nowMs, onPick }: ApprovalsInput): TemplateResult {
  const current = picked?.id === one.id
  return html`<li>
    <button type="button" class="request-row ${current ? 'current' : ''}" aria-current=${current ? 'true' : nothing} @click=${() => onPick(one.id)}>
      <span class="line"><b>${safeLine(one.requester, 40)}</b> <span class="arrow">→</span> ${one.target === undefined ? (one.about ?? 'message') : safeLine(one.target, 40)}${one.about === 'access' ? ' (access)' : nothing}</span>
      <span class="sql mono">${safeLine(one.command, 90)}</span>
      <span class="about">${approvalMark(one.state)} <code>${one.id}</code> <span title=${one.createdAt}>${agoText(one.createdAt, nowMs)}</span></span>
    </button>
  </li>`
}

/** What a request asks for, by what it is about. */
const MATTER_WORDS = {
  message: { why: 'Held because', what: 'command', approve: 'Approve: it runs once, as it stands' },
  access: { why: 'Needed because', what: 'reason', approve: 'Approve: access begins now' },
  policy: { why: 'Needed because', what: 'change', approve: 'Approve: it may be put in force, once' },
  retention: { why: 'Needed because', what: 'list', approve: 'Approve: these tapes may be deleted, once' },
} as const

function wishOf({ about = 'message', target = 'every target', protocol, kind, access }: ApprovalView): TemplateResult {
  switch (about) {
    case 'message':
      return html`wants to run this on <b>${safeLine(target, 80)}</b> <span class="muted">${protocol === undefined ? nothing : html`${safe(protocol)}, `}${safe(kind)}</span>`
    case 'access':
      return html`wants access to <b>${safeLine(target, 80)}</b>${access === undefined ? nothing : html` for <b>${Math.round(access.forMs / 60_000)} minutes</b>`}`
    case 'policy':
      return html`wants to change the policy of <b>${safeLine(target, 80)}</b>`
    case 'retention':
      return html`wants to delete recordings`
    default:
      return about satisfies never
  }
}

function requestView(one: ApprovalView, input: ApprovalsInput): TemplateResult {
  const { nowMs, chars, decide } = input
  const left = one.commandChars - Math.min(one.command.length, chars)
  return html`<section class="pane request" aria-labelledby="request-title">
    <header>
      <h2 id="request-title"><code>${one.id}</code>${copyButton(one.id, 'the request’s id')} ${approvalMark(one.state)}</h2>
      <p class="lead"><b>${safeLine(one.requester, 80)}</b> <span class="muted">(${one.requesterKind}${one.principal === undefined ? nothing : html`, for <b>${safeLine(one.principal, 80)}</b>`})</span> ${wishOf(one)}</p>
      <p class="why">${MATTER_WORDS[one.about ?? 'message'].why}: ${safe(one.reason)} ${ruleNames(one.rules)}</p>
    </header>
    <div class="command">
      ${left > 0 ? nothing : copyButton(one.command, `the ${MATTER_WORDS[one.about ?? 'message'].what}`)}
      <pre class="block mono">${redacted(one.command.length > chars ? one.command.slice(0, whole(one.command, chars)) : one.command)}</pre>
      ${
        left > 0
          ? html`<p class="cut" role="alert">${counted(left, 'more character')} of ${countText(one.commandChars)} not shown. <button type="button" class="link" @click=${() => input.onWhole(one)}>Show the whole ${MATTER_WORDS[one.about ?? 'message'].what}</button></p>`
          : html`<p class="hint">The whole ${MATTER_WORDS[one.about ?? 'message'].what}, ${counted(one.commandChars, 'character')}. Hatched parts were masked before anybody saw them.</p>`
      }
    </div>
    ${reviewView(one)}
    ${one.state === 'pending' || one.may.review || one.may.end ? decideView(one, decide, nowMs, left > 0) : decide.problem === '' ? nothing : html`<p class="notice notice-part" role="alert">${safe(decide.problem)}</p>`}
    <dl class="pairs">
      <dt>Approvers</dt><dd>${counted(one.approvers.count, 'person', 'people')} of ${one.approvers.groups.map((group) => html`<code>${safe(group)}</code> `)}</dd>
      <dt>Asked</dt><dd>${dateText(one.createdAt)} <span class="muted">${agoText(one.createdAt, nowMs)}</span></dd>
      <dt>${one.state === 'pending' ? 'Expires' : one.state === 'expired' ? 'Expired' : 'Could be decided until'}</dt><dd>${dateText(one.expiresAt)}${one.state === 'pending' || one.state === 'expired' ? html` <span class="muted">${agoText(one.expiresAt, nowMs)}</span>` : nothing}</dd>
      ${one.session === undefined ? nothing : html`<dt>Session</dt><dd><a href=${replayPath(one.session)}><code>${safe(one.session)}</code></a></dd>`}
    </dl>
    <h3>Decisions</h3>
    ${
      one.decisions.length === 0
        ? html`<p class="quiet">None yet.</p>`
        : html`<ul class="decisions">${one.decisions.map((decision) => html`<li><span class="mark mark-a-${decision.act === 'approve' ? 'approved' : 'rejected'}">${DECISION_WORDS[decision.act]}</span> <b>${safeLine(decision.by, 80)}</b> <span class="muted">${dateText(decision.at)}</span>${decision.reason === undefined ? nothing : html`<p>${safe(decision.reason)}</p>`}</li>`)}</ul>`
    }
    ${similarView(input.similar, nowMs)}
    ${
      Object.keys(one.facts).length === 0
        ? nothing
        : html`<h3>What the policy saw in it</h3>
            <dl class="pairs pairs-small">${Object.entries(one.facts).map(([name, value]) => html`<dt>${safe(name)}</dt><dd class="mono">${safeLine(Array.isArray(value) ? value.join(', ') : String(value), 400)}</dd>`)}</dl>`
    }
  </section>`
}

function decideView(
  one: ApprovalView,
  { busy, problem, reason, onReason, onDecide }: DecideInput,
  nowMs: number,
  cut: boolean,
): TemplateResult {
  const late = one.state === 'pending' && new Date(one.expiresAt).getTime() <= nowMs
  if (late) return html`<p class="notice notice-part">The time to decide is over.</p>`
  const decides = one.state === 'pending' && one.may.decide
  if (!decides && !one.may.breakGlass && !one.may.review && !one.may.end)
    return html`<p class="notice">${safe(one.may.why ?? 'You may not decide about this request.')}</p>`
  return html`<form class="decide" @submit=${(event: SubmitEvent) => event.preventDefault()}>
    <label for="reason">Reason <span class="muted">(needed to reject; shown to the requester${one.may.breakGlass ? ', and to whoever reviews broken glass' : nothing})</span></label>
    <textarea id="reason" rows="2" maxlength="2000" .value=${reason} ?disabled=${busy !== null} @input=${(event: Event) => onReason(event.target instanceof HTMLTextAreaElement ? event.target.value : '')}></textarea>
    ${problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`}
    ${decides || one.state !== 'pending' ? nothing : html`<p class="notice">${safe(one.may.why ?? '')}</p>`}
    ${
      decides
        ? html`<div class="buttons">
      <button type="button" class="danger" ?disabled=${busy !== null || reason.trim() === ''} @click=${() => onDecide('reject')}>${busy === 'reject' ? 'Rejecting …' : 'Reject'}</button>
      <button type="button" class="primary" ?disabled=${busy !== null || cut} @click=${() => onDecide('approve')}>${busy === 'approve' ? 'Approving …' : MATTER_WORDS[one.about ?? 'message'].approve}</button>
    </div>`
        : nothing
    }
    ${otherActs(one, { busy, reason, onAct: onDecide })}
    ${cut ? html`<p class="hint">Show the whole ${MATTER_WORDS[one.about ?? 'message'].what} before you approve it.</p>` : nothing}
  </form>`
}
