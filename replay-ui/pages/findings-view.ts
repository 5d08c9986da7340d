import { html, nothing, type TemplateResult } from 'lit'
import type { FindingExplained, FindingView } from '../../schemas/api.ts'
import { ESTIMATE_ERROR_PERCENT, EXACT_KEYS } from '../../schemas/api-names.ts'
import { termText } from '../../schemas/filter.ts'
import type { DispositionState, FindingRow } from '../../schemas/findings.ts'
import type { PullTotal } from '../../schemas/search.ts'
import type { Api } from '../data/api.ts'
import { counted, countText, dateText, sizeText } from '../data/format.ts'
import { empty, failed, failure, loading, redacted } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import '../elements/case-adder.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { replayPath, searchPath } from '../router.ts'

const STATES: Readonly<Record<DispositionState, string>> = { open: 'open', true: 'true', benign: 'benign', false: 'false alarm' }
const JUDGE: readonly (readonly [DispositionState, string])[] = [
  ['true', 'It is what it looks like'],
  ['benign', 'It is, and may be'],
  ['false', 'False alarm'],
  ['open', 'Open again'],
]

export interface FindingsInput {
  readonly list: Asked
  readonly findings: readonly FindingRow[]
  readonly more: boolean
  readonly onlyOpen: boolean
  readonly totals: Asked
  readonly pulls: readonly PullTotal[]
  readonly picked: string | undefined
  readonly one: Asked
  /** The picked one, once it is here. */
  readonly finding: FindingView | undefined
  /** Why what was wanted of it was not done. */
  readonly deedProblem: string
  readonly explained: FindingExplained | undefined
  readonly busy: boolean
  readonly reason: string
  readonly onOnlyOpen: (only: boolean) => void
  readonly onReason: (reason: string) => void
  readonly onJudge: (state: DispositionState) => void
  readonly onExplain: () => void
  readonly onMore: () => void
  /** Where cases are. */
  readonly api: Api
  readonly onCase: () => void
  readonly onRetry: () => void
  readonly onRetryTotals: () => void
  readonly onRetryOne: () => void
}

export function view(input: FindingsInput): TemplateResult {
  const { findings, more, onlyOpen } = input
  return html`<main class="page findings" id="main">
    <header class="page-head">
      <h1>Findings</h1>
      <button type="button" class="chip" aria-pressed=${onlyOpen} @click=${() => input.onOnlyOpen(!onlyOpen)}>Open only</button>
      <span class="count" role="status">${findings.length === 0 ? nothing : `${countText(findings.length)}${more ? '+' : ''} shown`}</span>
    </header>
    <div class="inbox">
      <section class="pane requests" aria-label="Findings, open and severe first" tabindex="0">${list(input)}</section>
      <section class="pane request" aria-label="The finding" tabindex="0">${input.picked === undefined ? most(input) : detail(input)}</section>
    </div>
  </main>`
}

function list({ list: asked, findings, picked, more, onlyOpen, onMore, onRetry }: FindingsInput): TemplateResult {
  if (findings.length === 0) {
    if (asked.state === 'loading') return loading('Loading findings …')
    if (asked.state === 'failed') return failed(asked, onRetry)
    return onlyOpen
      ? empty('No open finding', 'Those that were judged are shown without the filter.')
      : empty('No finding', 'Detectors look through what is recorded some seconds later.')
  }
  return html`${asked.state === 'failed' ? failed(asked, onRetry) : nothing}
    <ul class="plain">
      ${findings.map(
        ({ id, severity, title, family, target, object, summary, to, state: judged }) => html`<li>
          <a class="request-row ${id === picked ? 'current' : ''}" href="/findings/${id}" aria-current=${id === picked ? 'true' : nothing}>
            <span class="about"><span class="mark sev-${severity}">${severity}</span>${judged === 'open' ? nothing : html`<span class="mark">${STATES[judged]}</span>`}<b>${title}</b></span>
            <span>${safeLine(summary, 120)}</span>
            <span class="about">${safeLine(family, 40)} · ${safeLine(target, 30)}${object === null ? nothing : html` · ${safeLine(object, 40)}`} · ${dateText(to).slice(0, 16)}</span>
          </a>
        </li>`,
      )}
    </ul>
    ${more ? html`<button type="button" class="more-button" @click=${onMore}>Show more</button>` : nothing}`
}

/** Without a finding: who took the most in the last week. */
function most({ totals, pulls, onRetryTotals }: FindingsInput): TemplateResult {
  if (totals.state === 'loading' && pulls.length === 0) return loading('Adding up the last 7 days …')
  if (totals.state === 'failed') return failed(totals, onRetryTotals)
  const columns = ['Who', 'Target', 'Table', 'Rows', 'Different', 'Bytes', 'Masked', 'Sessions', 'Largest']
  if (pulls.length === 0) return empty('Nothing left in the last 7 days', 'What is taken of tables and routes is counted here.')
  return html`<h2>Who took the most in the last 7 days</h2>
    <div class="table-scroll" tabindex="0" role="group" aria-label="Totals">
      <table class="totals">
        <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${pulls.map(
            (one) => html`<tr>
              <td>${safeLine(one.family, 40)}</td>
              <td>${safeLine(one.target, 30)}</td>
              <td><a href=${searchPath(`${termText('table', one.object)} ${termText('family', one.family)} rows>0 since:7d`)}>${safeLine(one.object, 50)}</a></td>
              <td class="n">${countText(one.rows)}</td>
              <td class="n">${one.keys > EXACT_KEYS ? '≈ ' : nothing}${countText(one.keys)}</td>
              <td class="n">${sizeText(one.bytes)}</td>
              ${[one.masked, one.sessions, one.largest].map((count) => html`<td class="n">${countText(count)}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet">Different rows are counted by their keys, one by one up to ${countText(EXACT_KEYS)}; more are estimated (≈), with a standard error of ${ESTIMATE_ERROR_PERCENT} %. Largest is the largest statement.</p>`
}

function detail(input: FindingsInput): TemplateResult {
  const { one, finding, deedProblem, explained } = input
  if (finding === undefined) return one.state === 'failed' ? failed(one, input.onRetryOne) : loading('Loading …')
  const {
    id,
    code,
    detector,
    version,
    title,
    severity,
    score,
    summary,
    family,
    target,
    object,
    value,
    threshold,
    unit,
    attack,
    coverage,
  } = finding
  return html`<header><h2>${title}</h2><p class="about"><span class="mark sev-${severity}">${severity}</span><span>${STATES[finding.state]}</span><span class="mono">${id}</span></p></header>
    <p class="lead">${safe(summary)}</p>
    <dl class="pairs pairs-small">
      <dt>Who</dt><dd>${safeLine(family, 80)}</dd>
      <dt>Where</dt><dd>${safeLine(target, 60)}${object === null ? nothing : html`, ${safeLine(object, 80)}`}</dd>
      <dt>When</dt><dd>${dateText(finding.from)} to ${dateText(finding.to)}</dd>
      <dt>Measured</dt><dd>${countText(value)} ${unit}, threshold ${countText(threshold)}</dd>
      ${coverage === null ? nothing : html`<dt>Coverage</dt><dd>${countText(coverage.keys)} different by ${safeLine(coverage.keyed, 40)}${coverage.errorPercent === 0 ? nothing : ` (standard error ${coverage.errorPercent} %)`}${coverage.of === null ? nothing : `, of ${countText(coverage.of)} (${coverage.source})`}</dd>`}
      <dt>Score</dt><dd>${score} = 1 − ${finding.addends.map(({ weight }) => `(1 − ${weight})`).join(' ')}: ${finding.addends.map(({ why }) => why).join('; ')}</dd>
      <dt>Detector</dt><dd>${code} ${detector} v${version}; ATT&amp;CK ${attack.join(', ')}</dd>
    </dl>
    <h3>Evidence: ${counted(finding.contributions.length + finding.left + finding.hidden, 'place')} in ${counted(finding.sessions, 'session')}</h3>
    <ol class="evidence">
      ${finding.contributions.map(
        ({ session, frame, at, rows, bytesOut, text }) => html`<li>
          <a href=${replayPath(session, { frame })}>${dateText(at)} <span class="mono">${safeLine(session, 80)} #${frame}</span></a> ${counted(rows, 'row')}, ${sizeText(bytesOut)}
          <code>${redacted(text)}</code>
        </li>`,
      )}
    </ol>
    ${finding.left === 0 ? nothing : html`<p class="quiet">and ${countText(finding.left)} more</p>`}
    ${finding.hidden === 0 ? nothing : html`<p class="quiet">and ${countText(finding.hidden)} at targets that you may not see</p>`}
    <p><button type="button" @click=${input.onCase}>Add to a case …</button></p>
    <case-adder .api=${input.api}></case-adder>
    <h3>Does it hold?</h3>
    <p>
      <button type="button" ?disabled=${input.busy} @click=${input.onExplain}>Run the detector again</button>
      ${explained === undefined ? nothing : html`<span role="status">${explained.reproduced ? 'The same, to the last number.' : explained.hashNow === null ? 'It finds nothing any more.' : 'It finds something else now.'}</span>`}
    </p>
    ${finding.may.dispose ? judge(input) : nothing}
    ${finding.dispositions.map(({ state, by, reason, at }) => html`<p class="quiet">${STATES[state]}, by ${safeLine(by, 60)}, ${dateText(at)}: ${safe(reason)}</p>`)}
    ${deedProblem === '' ? nothing : failure(deedProblem)}`
}

function judge({ reason, busy, finding, onReason, onJudge }: FindingsInput): TemplateResult {
  return html`<h3>Judge it</h3>
    <label class="reason">Reason, for the ledger
      <textarea rows="2" maxlength="2000" .value=${reason} @input=${(event: Event) => event.target instanceof HTMLTextAreaElement && onReason(event.target.value)}></textarea>
    </label>
    <p class="chips">
      ${JUDGE.filter(([state]) => state !== finding?.state).map(
        ([state, name]) =>
          html`<button type="button" ?disabled=${busy || reason.trim() === ''} @click=${() => onJudge(state)}>${name}</button>`,
      )}
    </p>`
}
