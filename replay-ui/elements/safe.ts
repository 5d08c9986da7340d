import { html, type TemplateResult } from 'lit'
import { safePieces } from '../../schemas/safe-text.ts'

/** Text of others as text nodes, every character that could act or hide shown as its escape, and marked as one. */
export function safe(text: string, block = false): TemplateResult | string {
  const pieces = safePieces(text, block)
  const [only] = pieces
  if (pieces.length === 0) return ''
  if (pieces.length === 1 && only?.escaped === false) return only.text
  return html`${pieces.map((piece) => (piece.escaped ? html`<span class="esc">${piece.text}</span>` : piece.text))}`
}

/** As `safe`, one line of at most `maxChars`, saying by how much it was cut. */
export function safeLine(text: string, maxChars: number): TemplateResult | string {
  if (text.length <= maxChars) return safe(text)
  return html`${safe(text.slice(0, whole(text, maxChars)))}<span class="more">… ${text.length - maxChars} more</span>`
}

/** Not inside a surrogate pair: half of one would be shown as an escape that is not in the text. */
export function whole(text: string, chars: number): number {
  const code = text.charCodeAt(chars - 1)
  return code >= 0xd800 && code <= 0xdbff ? chars - 1 : chars
}
