import { html, type TemplateResult } from 'lit'
import { KEY_MAP } from './replay-keys.ts'

const LISTS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'To the filter, of sessions and of the search'],
  ['↑ ↓', 'From session to session, and from the filter to them'],
  ['Enter', 'Open it; search again'],
  ['Tab', 'From one thing to the next, as everywhere'],
  ['?', 'This list'],
]

/** Every key of the console, for the pages that have no list of their own. */
export function keyHelp(onClose: () => void): TemplateResult {
  return html`<dialog class="dialog key-help" aria-labelledby="keys-title" @close=${onClose} @click=${closeOutside}>
    <h2 id="keys-title">Keyboard</h2>
    <h3>Lists</h3>
    ${keyList(LISTS)}
    <h3>In a replay</h3>
    ${keyList(KEY_MAP)}
    <form method="dialog"><button class="primary">Close</button></form>
  </dialog>`
}

export function keyList(keys: typeof KEY_MAP): TemplateResult {
  return html`<dl class="keys">${keys.map(([names, what]) => html`<dt>${names.split(' ').map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd>`)}</dl>`
}

export function closeOutside(event: Event): void {
  if (event.target instanceof HTMLDialogElement) event.target.close()
}
