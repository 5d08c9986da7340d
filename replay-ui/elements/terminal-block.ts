import { html, nothing, type TemplateResult } from 'lit'
import { countText } from '../data/format.ts'
import type { TerminalShown } from '../data/terminals.ts'
import { safe } from './safe.ts'
import './terminal-screen.ts'

/** A terminal's screen, or what is there of it. */
export function terminalBlock({ screen, reading, problem }: TerminalShown): TemplateResult {
  return html`<div class="terminal-block">
    ${problem === '' ? nothing : html`<p class="wrong" role="alert">${safe(problem)}</p>`}
    ${screen?.torn === true ? html`<p class="notice notice-part"><b>Frames are missing before this one.</b> The screen may have been another.</p>` : nothing}
    ${reading === undefined ? nothing : html`<p class="quiet" role="status">Reading the recording up to here: frame ${countText(reading.read)} of ${countText(reading.of)} …</p>`}
    ${screen === undefined ? (reading === undefined && problem === '' ? html`<p class="quiet" role="status">No screen yet.</p>` : nothing) : html`<terminal-screen .screen=${screen}></terminal-screen>`}
</div>`
}

/** Enter looks further on, with Shift back; what is found is gone to. */
export function screenSearch(
  search: TerminalShown['search'],
  onSearch: (text: string, way: 'next' | 'previous') => void,
): TemplateResult {
  const textOf = ({ target }: Event): string => {
    const scope = target instanceof HTMLElement ? target.closest('.screen-search') : null
    return scope?.querySelector('input')?.value.trim() ?? ''
  }
  const button = (way: 'next' | 'previous', label: string): TemplateResult =>
    html`<button type="button" class="quiet-button" @click=${(event: Event) => onSearch(textOf(event), way)}>${label}</button>`
  return html`<div class="screen-search" role="search" aria-label="Screens of this terminal">
    <input id="screen-search" type="search" class="filter" aria-label="Find on the screen" placeholder="Find on the screen" spellcheck="false" autocomplete="off"
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === 'Enter') onSearch(textOf(event), event.shiftKey ? 'previous' : 'next')
      }} />
    ${button('previous', 'Before')}${button('next', 'Next')}
    <span role="status">${
      search === undefined
        ? ''
        : search.at === undefined
          ? `Looking: frame ${countText(search.read)} …`
          : search.at === null
            ? `Not on a screen ${search.way === 'next' ? 'after' : 'before'} frame ${countText(search.seq)}.`
            : `Frame ${countText(search.at)}.`
    }</span>
  </div>`
}
