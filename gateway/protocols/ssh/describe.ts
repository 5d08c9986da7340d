import type { Describer, Told } from '../../../recorder/catalog/describe.ts'
import { type Frame, isReleased } from '../../../schemas/frame.ts'
import { isOfTerminal, sftpLine, terminalStep } from '../../../schemas/views/terminal.ts'

/** Of a stream without lines, before it is told as it stands. */
const MAX_LINE_CHARS = 8_000

/** Tells the catalog what was run on each channel, what it put out, and what could be read on its terminal. */
export class SshDescriber implements Describer {
  /** The unfinished last line of each stream, with its decoder: a character may be cut between frames. */
  readonly #streams = new Map<string, { readonly decoder: InstanceType<typeof TextDecoder>; rest: string }>()

  read(frame: Frame): readonly Told[] {
    const { dir, kind, facts, channel, body } = frame
    if (dir === 'note' || facts['origin'] === 'gateway') return []
    const step = terminalStep(frame)
    const screen: Told[] =
      step === undefined || (step.does === 'output' && !isOfTerminal(frame)) ? [] : [{ told: 'screen', step }]
    switch (kind) {
      case 'exec':
      case 'shell':
      case 'subsystem': {
        const text = kind === 'exec' ? textOf(body) : `${kind} ${textOf(body)}`.trimEnd()
        return [{ told: 'statement', kind, text, answer: isReleased(frame) ? channel : null, ...said(frame) }, ...screen]
      }
      case 'sftp':
      case 'sftp-file':
        return [{ told: 'statement', kind, text: sftpLine(frame) ?? kind, answer: null, ...said(frame) }]
      case 'stdout':
      case 'stderr':
        return [{ told: 'answer', answer: channel, rows: 0, end: null }, ...this.#output(frame)]
      case 'terminal-output':
        return [{ told: 'answer', answer: channel, rows: 0, end: null }, ...screen]
      case 'exit':
        return [
          { told: 'answer', answer: channel, rows: 0, end: facts['status'] === 0 ? 'complete' : 'error' },
          ...this.#rest(channel),
        ]
      default:
        return screen
    }
  }

  /** Whole lines; what follows the last newline waits for its end. */
  #output({ channel, kind, body }: Frame): Told[] {
    if (body === null || body.includes(0)) return []
    const name = `${channel} ${kind}`
    const stream = this.#streams.get(name) ?? { decoder: new TextDecoder(), rest: '' }
    this.#streams.set(name, stream)
    const text = stream.rest + stream.decoder.decode(body, { stream: true })
    const end = text.length > MAX_LINE_CHARS ? text.length : text.lastIndexOf('\n') + 1
    stream.rest = text.slice(end)
    return end === 0 ? [] : [{ told: 'text', place: 'output', text: text.slice(0, end), firstRow: null }]
  }

  #rest(channel: number): Told[] {
    const told: Told[] = []
    for (const [name, { rest }] of this.#streams) {
      if (!name.startsWith(`${channel} `)) continue
      this.#streams.delete(name)
      if (rest !== '') told.push({ told: 'text', place: 'output', text: rest, firstRow: null })
    }
    return told
  }
}

/** Programs it runs, or the path a file operation is on. */
function said({ facts, kind }: Frame): Pick<Extract<Told, { told: 'statement' }>, 'objects' | 'verbs'> {
  const { path, op, programs } = facts
  return {
    objects: typeof path === 'string' ? [path] : [],
    verbs: Array.isArray(programs) ? [...programs] : [typeof op === 'string' ? op : kind],
  }
}

function textOf(body: Uint8Array | null): string {
  return body === null ? '' : Buffer.from(body).toString('utf8')
}
