import type { Facts, Frame } from '../frame.ts'
import type { Shown, View } from './view.ts'

/** Content of a packet of SFTP stands behind its length, type, id and own length. */
const DATA = 103
const HEAD_SIZE = 13

const TEXTS = new Set([
  'file-upload',
  'file-close',
  'stdin',
  'stdout',
  'stderr',
  'terminal-input',
  'terminal-output',
  'notice',
  'refusal',
  'farewell',
])

/** What was asked, and the text of each stream as far as it stands in this frame of the tape. */
export class SshView implements View {
  read({ dir, kind, body, facts }: Frame): readonly Shown[] {
    if (dir === 'note') return []
    if (kind === 'exec' || kind === 'line') return [{ show: 'statement', label: kind, text: text(body) }]
    if (kind === 'shell' || kind === 'subsystem') return [{ show: 'statement', label: kind, text: text(body) }]
    if (kind === 'file') return [{ show: 'statement', label: 'sftp', text: operation(facts) }]
    if (kind === 'file-download' && body !== null)
      return [{ show: 'word', label: kind, text: text(facts['scp'] === true ? body : contents(body)) }]
    if (body !== null && body.length > 0 && TEXTS.has(kind)) return [{ show: 'word', label: kind, text: text(body) }]
    const told = Object.entries(facts).filter(([name]) => name !== 'origin')
    return [{ show: 'word', label: kind, text: told.map(([name, value]) => `${name}=${String(value)}`).join(' ') }]
  }
}

/** `rename /a /b` */
function operation({ operations, path, to }: Facts): string {
  const words = [...(Array.isArray(operations) ? [operations.join('+')] : []), path, to]
  return words.filter((word) => typeof word === 'string').join(' ')
}

/** What is in the DATA packets of a body; packets that are none, and one that is cut, are left out. */
function contents(body: Uint8Array): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const parts: Uint8Array[] = []
  for (let at = 0; at + HEAD_SIZE <= body.length; ) {
    const end = at + 4 + view.getUint32(at)
    if (body[at + 4] === DATA) parts.push(body.subarray(at + HEAD_SIZE, Math.min(end, body.length)))
    at = end
  }
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A character cut between two frames shows as two that cannot be read; the bytes are whole. */
function text(body: Uint8Array | null): string {
  return body === null ? '' : new TextDecoder().decode(body)
}
