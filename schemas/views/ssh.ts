import type { Frame } from '../frame.ts'
import type { Shown, View } from './view.ts'

const TEXTS = new Set(['stdin', 'stdout', 'stderr', 'terminal-input', 'terminal-output', 'notice', 'refusal', 'farewell'])

/** What was asked, and the text of each stream as far as it stands in this frame of the tape. */
export class SshView implements View {
  read({ dir, kind, body, facts }: Frame): readonly Shown[] {
    if (dir === 'note') return []
    if (kind === 'exec') return [{ show: 'statement', label: 'exec', text: text(body) }]
    if (kind === 'shell' || kind === 'subsystem') return [{ show: 'statement', label: kind, text: text(body) }]
    if (body !== null && body.length > 0 && TEXTS.has(kind)) return [{ show: 'word', label: kind, text: text(body) }]
    const told = Object.entries(facts).filter(([name]) => name !== 'origin')
    return [{ show: 'word', label: kind, text: told.map(([name, value]) => `${name}=${String(value)}`).join(' ') }]
  }
}

/** A character cut between two frames shows as two that cannot be read; the bytes are whole. */
function text(body: Uint8Array | null): string {
  return body === null ? '' : new TextDecoder().decode(body)
}
