import type { Describer, Told } from '../../../recorder/catalog/describe.ts'
import { asks } from '../../../schemas/asked.ts'
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
    const asked = asks('ssh', frame)
    switch (kind) {
      case 'exec':
      case 'shell':
      case 'subsystem': {
        if (!asked) return screen
        const text = kind === 'exec' ? textOf(body) : `${kind} ${textOf(body)}`.trimEnd()
        return [{ told: 'statement', kind, text, answer: isReleased(frame) ? channel : null, ...said(frame) }, ...screen]
      }
      case 'line':
        return asked ? [{ told: 'statement', kind, text: textOf(body), answer: null, ...said(frame) }] : []
      case 'forward':
        return asked ? [{ told: 'statement', kind, text: forwardLine(frame), answer: null, ...said(frame) }] : []
      case 'file':
        if (!asked) return []
        return [
          {
            told: 'statement',
            kind,
            text: sftpLine(frame) ?? kind,
            answer: isReleased(frame) ? fileOf(frame) : null,
            ...said(frame),
          },
        ]
      case 'file-reply':
      case 'file-download':
        return answered(frame)
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

/** Operations on files are numbered for themselves, beyond what numbers channels. */
const FILES = 2 ** 32

function fileOf({ facts }: Frame): number | null {
  return typeof facts['statement'] === 'number' ? FILES + facts['statement'] : null
}

/** What is opened is answered to the end when it is closed; everything else at once. */
function answered(frame: Frame): Told[] {
  const { operations, status } = frame.facts
  const answer = fileOf(frame)
  if (answer === null) return []
  const opens = Array.isArray(operations) && operations.some((one) => one === 'read' || one === 'write' || one === 'list')
  const over = status !== undefined && !(opens && status === 'ok')
  return [{ told: 'answer', answer, rows: 0, end: !over ? null : status === 'ok' ? 'complete' : 'error' }]
}

/** `forward local db.internal:5432` */
function forwardLine({ facts: { direction, host, port } }: Frame): string {
  const place = [host, port].filter((part) => part !== undefined && part !== '').join(':')
  return `forward ${direction} ${place}`.trimEnd()
}

/** Programs it runs, or what is done to which files. */
function said({ facts, kind }: Frame): Pick<Extract<Told, { told: 'statement' }>, 'objects' | 'verbs'> {
  const { path, to, operations, programs } = facts
  return {
    objects: [path, to].filter((one) => typeof one === 'string'),
    verbs: [programs, operations].find((list) => Array.isArray(list)) ?? [kind],
  }
}

function textOf(body: Uint8Array | null): string {
  return body === null ? '' : Buffer.from(body).toString('utf8')
}
