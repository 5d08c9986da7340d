import { html, nothing, type TemplateResult } from 'lit'
import type { CaseChange, CaseItem, CaseRow, CaseView } from '../../schemas/api.ts'
import { OWN_CASE } from '../../schemas/api-names.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { counted, countText, dateText } from '../data/format.ts'
import { copyButton } from '../elements/copy-text.ts'
import { empty, failed, failure, loading } from '../elements/marks.ts'
import type { Asked } from '../elements/question.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { replayPath } from '../router.ts'

export interface CasesInput {
  readonly list: Asked
  readonly cases: readonly CaseRow[]
  readonly picked: string | undefined
  readonly asked: Asked
  /** The picked one, once it is here. */
  readonly one: CaseView | undefined
  /** Why what was wanted was not done. */
  readonly deedProblem: string
  readonly busy: boolean
  /** Whether cases may be begun, beside one's own bookmarks. */
  readonly mayBegin: boolean
  readonly onBegin: (title: string) => void
  readonly onChange: (change: CaseChange) => void
  readonly onRetry: () => void
  readonly onRetryOne: () => void
}

export function view(input: CasesInput): TemplateResult {
  const { list, cases, deedProblem, onRetry } = input
  return html`<main class="page findings" id="main">
    <header class="page-head"><h1>Cases</h1><span class="muted">Frames, sessions and findings that belong together, with notes</span></header>
    <div class="inbox">
      <section class="pane requests" aria-label="Cases">
        ${list.state === 'failed' ? failed(list, onRetry) : nothing}
        ${list.state === 'loading' && cases.length === 0 ? loading('Loading …') : html`<ul class="plain">${cases.map((one) => row(one, input.picked))}</ul>`}
        ${cases.length === 0 && list.state === 'here' ? html`<p class="quiet">No case yet. A frame is bookmarked in its replay, by <kbd>M</kbd>.</p>` : nothing}
        ${input.mayBegin ? begin(input) : nothing}
        ${deedProblem === '' || input.picked !== undefined ? nothing : failure(deedProblem)}
      </section>
      <section class="pane request" aria-label="Case" tabindex="0">${one(input)}</section>
    </div>
  </main>`
}

function row({ id, title, state, by, items, changedAt, own }: CaseRow, picked: string | undefined): TemplateResult {
  const address = own ? OWN_CASE : id
  return html`<li>
    <a class="request-row ${address === picked ? 'current' : ''}" href="/cases/${encodeURIComponent(address)}" aria-current=${address === picked ? 'true' : nothing}>
      <span class="about case-title"><b>${safeLine(title, 200)}</b>${state === 'closed' ? html`<span class="mark">closed</span>` : nothing}</span>
      <span class="about">${own ? 'seen by nobody else' : html`by ${safeLine(by, 40)}`} · ${counted(items, 'item')} · ${dateText(changedAt).slice(0, 16)}</span>
    </a>
  </li>`
}

function begin({ busy, onBegin }: CasesInput): TemplateResult {
  return html`<form class="case-begin" @submit=${(event: SubmitEvent) => {
    const title = taken(event, 'title')
    if (title !== '') onBegin(title)
  }}>
    <label>Begin a case <input name="title" required maxlength="200" autocomplete="off" placeholder="What it is about"></label>
    <button type="submit" ?disabled=${busy}>Begin</button>
  </form>`
}

function one(input: CasesInput): TemplateResult {
  const { picked, asked, one: found, deedProblem, busy, onChange } = input
  if (picked === undefined) return empty('Choose a case', 'What is in it leads back to the recordings.')
  if (found === undefined) return asked.state === 'failed' ? failed(asked, input.onRetryOne) : loading('Loading …')
  const { title, state, by, createdAt, items, notes, own, may, id } = found
  const open = may.change && state === 'open'
  return html`<header><h2>${safeLine(title, 200)}</h2><p class="about"><span class="mark">${state}</span><span>by ${safeLine(by, 60)}, ${dateText(createdAt)}</span>${own ? nothing : html`<span class="mono">${id}</span>`}</p></header>
    ${items.length === 0 ? html`<p class="quiet">Nothing is in it yet: bookmark a frame in a replay by <kbd>M</kbd>, or add a finding from its page.</p>` : html`<ol class="evidence case-items">${items.map((item) => itemRow(item, open, input))}</ol>`}
    ${takeOut(items)}
    ${own ? nothing : html`<h3>Notes</h3>${notes.length === 0 ? html`<p class="quiet">None yet.</p>` : notes.map(({ by: author, at, text }) => html`<div class="case-note"><p class="about"><b>${safeLine(author, 60)}</b><span>${dateText(at)}</span></p><p>${safe(text, true)}</p></div>`)}`}
    ${may.change && !own ? changes(found, busy, onChange) : nothing}
    ${deedProblem === '' ? nothing : failure(deedProblem)}`
}

function itemRow(item: CaseItem, open: boolean, { busy, onChange }: CasesInput): TemplateResult {
  const { n, kind, session, frame, row: at, finding, note, by, shown } = item
  if (!shown) return html`<li class="muted">A ${kind} of a target that you may not see, added by ${safeLine(by, 60)}.</li>`
  const link =
    finding !== undefined
      ? html`<a href="/findings/${encodeURIComponent(finding)}">finding ${finding}</a>`
      : session === undefined
        ? nothing
        : frame === undefined
          ? html`<a href=${replayPath(session)}>session</a> <span class="mono">${safe(session)}</span>`
          : html`<a href=${replayPath(session, { frame, ...(at === undefined ? {} : { row: at }) })}>frame ${countText(frame)}${at === undefined ? nothing : ` row ${countText(at)}`}</a> <span class="muted">of</span> <span class="mono">${safe(session)}</span>`
  return html`<li>${link} <span class="muted">by ${safeLine(by, 60)}, ${dateText(item.at)}</span>
    ${open ? html`<button type="button" class="link" ?disabled=${busy} aria-label="Take out item ${n}" @click=${() => onChange({ act: 'remove', n })}>Take out</button>` : nothing}
    ${note === '' ? nothing : html`<p>${safe(note, true)}</p>`}</li>`
}

/** Proofs are made where the evidence is: by the command line, which the ledger hears of. */
function takeOut(items: readonly CaseItem[]): TemplateResult | typeof nothing {
  const frames = new Map<string, Set<number>>()
  for (const { session, frame } of items) {
    if (session === undefined || frame === undefined) continue
    frames.set(session, (frames.get(session) ?? new Set()).add(frame))
  }
  if (frames.size === 0) return nothing
  const commands = [...frames].map(
    ([session, seqs]) => `sallyport excerpt ${session} --frames ${[...seqs].sort((a, b) => a - b).join(',')}`,
  )
  return html`<details class="case-out"><summary>Take the bookmarked frames out, with proofs</summary>
    ${commands.map((command) => html`<p class="mono">${safe(command)} ${copyButton(command, 'the command')}</p>`)}
    <p class="hint">An excerpt discloses these frames and proves them, and hides the others. Making one is noted in the ledger.</p></details>`
}

function changes({ state, title }: CaseView, busy: boolean, onChange: (change: CaseChange) => void): TemplateResult {
  const act = state === 'open' ? 'close' : 'reopen'
  return html`<form class="case-form" @submit=${(event: SubmitEvent) => {
    const text = taken(event, 'text')
    if (text !== '') onChange({ act: 'note', text })
  }}><label>Note<textarea name="text" rows="3" maxlength="5000" required></textarea></label><button type="submit" ?disabled=${busy}>Add the note</button></form>
  ${
    state === 'open'
      ? html`<form class="case-form inline" @submit=${(event: SubmitEvent) => {
          const to = taken(event, 'title')
          if (to !== '' && to !== title) onChange({ act: 'rename', title: to })
        }}><label>Title <input name="title" maxlength="200" required placeholder=${safeText(title)}></label><button type="submit" ?disabled=${busy}>Rename</button></form>`
      : nothing
  }
  <form class="case-form inline" @submit=${(event: SubmitEvent) => {
    const reason = taken(event, 'reason')
    if (reason !== '') onChange({ act, reason })
  }}><label>Reason <input name="reason" maxlength="2000" required></label><button type="submit" ?disabled=${busy}>${state === 'open' ? 'Close the case' : 'Open it again'}</button></form>`
}

function taken(event: SubmitEvent, name: string): string {
  event.preventDefault()
  if (!(event.target instanceof HTMLFormElement)) return ''
  const text = String(new FormData(event.target).get(name) ?? '').trim()
  event.target.reset()
  return text
}
