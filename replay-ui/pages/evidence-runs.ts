import { html, nothing, type TemplateResult } from 'lit'
import type { CustodyEntry } from '../../schemas/api.ts'
import { dateText } from '../data/format.ts'
import { safeLine } from '../elements/safe.ts'
import { replayPath } from '../router.ts'

/** What verifications and comparisons came to, newest first. */
export function runsView(runs: readonly CustodyEntry[]): TemplateResult {
  return html`<section class="card ledger-card runs-card" aria-label="Last verifications">
    <h2>Last verifications</h2>
    ${
      runs.length === 0
        ? html`<p class="muted">None is in the ledger. A replay verifies its tape; <code>sallyport verify</code>, by hand or from a schedule, all of them.</p>`
        : html`<table class="totals"><thead><tr>${['When', 'Who', 'What', 'Verdict'].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
            <tbody>${runs.map(runRow)}</tbody></table>`
    }
  </section>`
}

function runRow({ at, actor, type, session, told, signed, gateway }: CustodyEntry): TemplateResult {
  const said = new Map(told)
  const [missing, extra] = [said.get('missing'), said.get('extra')]
  const verdict =
    said.get('verdict') ?? (missing === '[]' && extra === '[]' ? 'nothing missing' : 'something is missing, or too much')
  const good = verdict === 'VALID' || verdict === 'nothing missing'
  const what =
    type === 'reconcile'
      ? html`ledger and tapes compared`
      : session === null
        ? html`${safeLine(said.get('tapes') ?? '?', 20)} tapes and the ledger`
        : html`<a class="mono" href=${replayPath(session)}>${safeLine(session, 40)}</a>`
  return html`<tr>
    <td>${dateText(at)}</td>
    <td>${safeLine(actor === '' ? gateway : actor, 60)}${signed ? nothing : html` <span class="mark mark-block">not signed by us</span>`}</td>
    <td>${what} <span class="muted">${safeLine(said.get('with') ?? '', 40)}</span></td>
    <td><span class="mark ${good ? 'mark-released' : 'mark-block'}">${safeLine(verdict, 40)}</span></td>
  </tr>`
}

/** `{"limit":100,"state":"pending"}` for people: limit 100, state pending. Whatever else it is stays as it is. */
export function toldText(value: string): string {
  if (!value.startsWith('{')) return value
  try {
    const pairs = Object.entries(JSON.parse(value))
    return pairs.map(([name, one]) => `${name} ${typeof one === 'string' ? one : JSON.stringify(one)}`).join(', ')
  } catch {
    // Cut by the length that is kept of it.
    return value
  }
}
