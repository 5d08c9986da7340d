import { html, nothing, type TemplateResult } from 'lit'
import type { SessionDetail } from '../../schemas/api.ts'
import type { Problem, TapeVerification } from '../../schemas/verification.ts'
import { counted, countText, dateText, sizeText, timeText } from '../data/format.ts'
import { LARGE_ROWS } from '../data/session-filter.ts'
import { copyButton } from '../elements/copy-text.ts'
import { stateMark } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { styled } from '../elements/styled.ts'
import type { FramePlace } from '../router.ts'
import './replay-bookmarks.ts'
import type { ReplaySetting } from './replay-setting.ts'
import './replay-summary.ts'

export interface IntegrityInput {
  readonly verification: TapeVerification | undefined
  readonly unverified: string | undefined
  readonly checkedChunks: number
  readonly chunks: number
  readonly live: boolean
  readonly tookMs: number
  readonly onAgain: () => void
  readonly onFrame: (seq: number) => void
}

/** How safe what was recorded is against a crash. */
type Kept = Pick<SessionDetail, 'durability' | 'lossWindow'>

export interface HeadInput {
  readonly detail: SessionDetail
  readonly integrity: IntegrityInput
  /** News of the running session arrive. */
  readonly tail: 'off' | 'up' | 'down'
  readonly copied: boolean
  /** What the console can do with a session beside replaying it; nothing where there is no server. */
  readonly more: { readonly desk: NonNullable<ReplaySetting['desk']>; readonly place: FramePlace } | undefined
  readonly onKill: () => void
  readonly onCopy: () => void
}

export function headView(input: HeadInput): TemplateResult {
  const { detail, integrity, tail, copied } = input
  const { identity, target } = detail
  return html`<header class="replay-head">
    <div class="who">
      <h1><a href="/sessions" class="back" aria-label="All sessions">‹</a><span>${safeLine(identity.subject, 60)}</span><span class="arrow" aria-label="to">→</span><span>${safeLine(target.name, 60)}</span></h1>
      <p class="facts">
        ${stateMark(detail.state)}
        <span class="id-line"><code class="id">${safe(detail.id)}</code>${copyButton(detail.id, 'the session’s id')}</span>
        <span>${identity.kind}${identity.principal === undefined ? nothing : html` for ${safeLine(identity.principal, 60)}`} · ${safeLine(detail.proof, 60)}</span>
        <span>${target.protocol}${target.database === undefined ? nothing : html` · ${safeLine(target.database, 60)}`}</span>
        <span>${dateText(detail.startedAt)}</span>
        ${tail === 'down' ? html`<span class="wrong" role="status">live updates interrupted, reconnecting …</span>` : nothing}
      </p>
    </div>
    <dl class="numbers">
      ${number('Rows', countText(detail.rows))}${number('Out', sizeText(detail.bytesOut))}${number('Masked', countText(detail.masked), detail.masked > 0 ? 'n-mask' : '')}${number('Length', timeText(detail.durationUs))}
    </dl>
    <div class="actions">
      ${integrityView(integrity, detail)}
      ${
        input.more === undefined || !detail.may.read
          ? nothing
          : html`<replay-bookmarks .api=${input.more.desk} .session=${detail.id} .place=${input.more.place}></replay-bookmarks>
              <a class="button" href="/compare/${encodeURIComponent(detail.id)}">Compare</a>
              <a class="button" href="/evidence?session=${encodeURIComponent(detail.id)}">Custody</a>`
      }
      <button type="button" @click=${input.onCopy}>${copied ? 'Link copied' : 'Copy link'}</button>
      ${detail.state === 'live' && detail.may.kill ? html`<button type="button" class="danger" @click=${input.onKill}>End session …</button>` : nothing}
    </div>
    ${narrativeView(detail, input.more?.desk)}
  </header>`
}

function narrativeView(detail: SessionDetail, desk: ReplaySetting['desk']): TemplateResult | typeof nothing {
  if (detail.narrative === undefined) return nothing
  return html`<details class="narrative" ?open=${isRemarkable(detail)}>
    <summary>What happened</summary>
    <ul>${detail.narrative.map((one) => html`<li>${safe(one)}</li>`)}</ul>
    ${
      desk === undefined || detail.summaryBy === undefined
        ? nothing
        : html`<replay-summary .api=${desk} .session=${detail.id} .host=${detail.summaryBy}></replay-summary>`
    }
  </details>`
}

/** Whether what happened stands there unasked: something was refused or held, or much was taken. */
function isRemarkable({ verdicts, rows }: SessionDetail): boolean {
  return verdicts.block > 0 || verdicts.hold > 0 || rows > LARGE_ROWS
}

function number(name: string, value: string, more = ''): TemplateResult {
  return html`<div class=${more}><dt>${name}</dt><dd>${value}</dd></div>`
}

const MEANING: Readonly<Record<TapeVerification['verdict'], string>> = {
  VALID: 'Every byte is what the gateway signed, from the first frame to the sealed end.',
  'VALID-INCOMPLETE': 'What is here is unchanged, but the recording has no proper end.',
  INVALID: 'The recording is not what the gateway signed. What is wrong, and where, stands below; the rest can still be read.',
  UNVERIFIABLE: 'Nothing can be said: a signature or a key is missing. This is not a pass.',
  UNTRUSTED: 'Unchanged, but the trust policy’s witnesses or anchors are not met.',
  'DELETED-BY-POLICY': 'Removed by an act of retention, which is in the ledger.',
}

export function integrityView(input: IntegrityInput, kept: Kept): TemplateResult {
  const { verification, unverified, checkedChunks, chunks } = input
  const percent = chunks === 0 ? 0 : Math.min(99, Math.floor((checkedChunks / chunks) * 100))
  const [tone, sign, words] =
    unverified !== undefined
      ? ['unknown', '?', 'Not verified']
      : verification === undefined
        ? ['busy', '', `Verifying ${percent} %`]
        : badgeOf(verification, input.live)
  return html`<button type="button" class="badge badge-${tone}" popovertarget="integrity" aria-label="Integrity: ${words}">
      <span aria-hidden="true">${tone === 'busy' ? html`<span class="pie" ${styled({ '--part': `${percent}%` })}></span>` : sign}</span>${words}
    </button>
    <div id="integrity" class="popover" popover role="dialog" aria-label="Integrity">${detailView(input, kept)}</div>`
}

function badgeOf({ verdict }: TapeVerification, live: boolean): [tone: string, sign: string, words: string] {
  switch (verdict) {
    case 'VALID':
      return ['good', '✓', 'VALID']
    case 'VALID-INCOMPLETE':
      return live ? ['good', '✓', 'Valid so far'] : ['part', '✓', 'VALID-INCOMPLETE']
    case 'INVALID':
      return ['bad', '✕', 'INVALID']
    case 'UNVERIFIABLE':
    case 'UNTRUSTED':
    case 'DELETED-BY-POLICY':
      return ['unknown', '?', verdict]
    default:
      return verdict satisfies never
  }
}

function detailView(
  { verification, unverified, checkedChunks, chunks, live, tookMs, onAgain, onFrame }: IntegrityInput,
  { durability, lossWindow }: Kept,
): TemplateResult {
  if (unverified !== undefined)
    return html`<h2>Not verified</h2><p>${safe(unverified)}</p><button type="button" @click=${onAgain}>Try again</button>`
  if (verification === undefined)
    return html`<h2>Verifying in this browser</h2>
      <p>${countText(checkedChunks)} of ${counted(chunks, 'chunk')}: signature, chain, leaf hashes, Merkle root.</p>`
  const { verdict, frames, signer, root, problems, problemCount, recovered, unattested } = verification
  return html`<h2>${verdict}</h2>
    <p>${live && verdict === 'VALID-INCOMPLETE' ? 'Every byte recorded so far is what the gateway signed. The session still runs.' : MEANING[verdict]}</p>
    <dl class="pairs">
      <dt>Checked here</dt><dd>${counted(frames, 'frame')} in ${counted(verification.chunks, 'chunk')}, ${(tookMs / 1000).toFixed(1)} s, in this browser</dd>
      ${signer === null ? nothing : html`<dt>Signed by</dt><dd>${safe(signer.gateway)}, ${safe(signer.algorithm)}, key <code>${safe(signer.keyId)}</code></dd>`}
      ${root === null ? nothing : html`<dt>Sealed root</dt><dd><code class="wrap">${root}</code> ${copyButton(root, 'the root')}</dd>`}
      <dt>Durability</dt><dd>${durability} <span class="muted">${safe(lossWindow)}</span></dd>
      ${recovered === null ? nothing : html`<dt>Recovered</dt><dd>frames ${countText(recovered.first)} – ${countText(recovered.last)}, attested only by ${safe(recovered.by)} at ${dateText(recovered.at)}</dd>`}
      ${unattested === 0 ? nothing : html`<dt>Unattested</dt><dd>${counted(unattested, 'frame')} behind a break in the chain</dd>`}
    </dl>
    ${
      problems.length === 0
        ? nothing
        : html`<h3>${counted(problemCount, 'finding')}</h3>
            <ul class="problems">${problems.map((problem) => html`<li class="p-${problem.verdict.toLowerCase()}">${safe(problem.what)}<small>${safe(problem.object)}${problem.offset === undefined ? nothing : html` at byte ${countText(problem.offset)}`}${placeOf(problem, onFrame)}</small></li>`)}</ul>`
    }
    <p class="hint">The gateway’s public key came from this server. Compare the key id with one you hold, or run <code>sallyport verify</code> with your own copy.</p>
    <button type="button" @click=${onAgain}>Verify again</button>`
}

/** Where a finding is, which leads there. */
function placeOf({ frame, frames }: Problem, onFrame: IntegrityInput['onFrame']): TemplateResult | typeof nothing {
  const first = frame ?? frames?.[0]
  if (first === undefined) return nothing
  const words =
    frame !== undefined || frames === undefined
      ? `frame ${countText(first)}`
      : `frames ${countText(first)} – ${countText(frames[1])}`
  return html`, <button type="button" class="link" popovertarget="integrity" popovertargetaction="hide" @click=${() => onFrame(first)}>${words}</button>`
}
