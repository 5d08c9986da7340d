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
