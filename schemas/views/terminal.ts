import { type Frame, isReleased } from '../frame.ts'

/** As large as a terminal is shown; what a client asks for beyond that is no screen, and each cell costs memory. */
export const MAX_COLS = 1000
export const MAX_ROWS = 500
const DEFAULT = { cols: 80, rows: 24 } as const

export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

/** What a frame does to the terminal of its channel. */
export type TerminalStep =
  /** A new screen. */
  | ({ readonly does: 'start' } & TerminalSize)
  | ({ readonly does: 'resize' } & TerminalSize)
  /** Bytes written to it; a character or an escape sequence may go on in the next. */
  | { readonly does: 'output'; readonly bytes: Uint8Array }

/** With a terminal these are written to it as well: the gateway's own words, and what the target says beside. */
const OUTPUTS: ReadonlySet<string> = new Set(['terminal-output', 'stderr', 'notice', 'refusal', 'farewell'])

/** What a screen is opened by. */
const OPENS: ReadonlySet<string> = new Set(['shell', 'exec', 'attach'])

/** Undefined for frames that do not change a screen: those that were not passed on, and those of channels without one. */
export function terminalStep(frame: Pick<Frame, 'dir' | 'kind' | 'facts' | 'body' | 'verdict'>): TerminalStep | undefined {
  const { dir, kind, facts, body } = frame
  if (!isReleased(frame)) return undefined
  if (dir === 'in' && OPENS.has(kind)) return facts['pty'] === true ? { does: 'start', ...sizeOf(facts) } : undefined
  if (dir === 'in' && kind === 'terminal-resize') return { does: 'resize', ...sizeOf(facts) }
  if (dir === 'out' && body !== null && OUTPUTS.has(kind)) return { does: 'output', bytes: body }
  return undefined
}

/** Whether the frame belongs to a channel that has a screen, as far as it says so itself. */
export function isOfTerminal({ kind, facts }: Pick<Frame, 'kind' | 'facts'>): boolean {
  return kind.startsWith('terminal-') || (OPENS.has(kind) && facts['pty'] === true)
}

function sizeOf(facts: Frame['facts']): TerminalSize {
  const number = (value: unknown, otherwise: number, most: number): number =>
    typeof value === 'number' && Number.isInteger(value) && value > 0 ? Math.min(value, most) : otherwise
  return { cols: number(facts['cols'], DEFAULT.cols, MAX_COLS), rows: number(facts['rows'], DEFAULT.rows, MAX_ROWS) }
}

const [ESC, BEL, CAN, SUB] = [0x1b, 0x07, 0x18, 0x1a]

/**
 * Where in a stream of output nothing is half said: no escape sequence (ECMA-48 5.4), no control string, no character of UTF-8.
 * Only there can a screen be kept and gone on from.
 */
export class TerminalSeam {
  #state: 'text' | 'escape' | 'sequence' | 'string' | 'string-escape' = 'text'
  /** Bytes of a character that are still to come. */
  #more = 0

  get whole(): boolean {
    return this.#state === 'text' && this.#more === 0
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) this.#next(byte)
  }

  #next(byte: number): void {
    switch (this.#state) {
      case 'text':
        if (byte === ESC) this.#state = 'escape'
        this.#more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : byte >= 0x80 ? Math.max(0, this.#more - 1) : 0
        break
      case 'escape':
        // CSI; OSC, DCS, SOS, PM and APC, which go on to their terminator; intermediates; else it ends here.
        if (byte === 0x5b) this.#state = 'sequence'
        else if ([0x5d, 0x50, 0x58, 0x5e, 0x5f].includes(byte)) this.#state = 'string'
        else if (byte !== ESC && (byte < 0x20 || byte > 0x2f)) this.#state = 'text'
        break
      case 'sequence':
        if (byte === ESC) this.#state = 'escape'
        else if ((byte >= 0x40 && byte <= 0x7e) || byte === CAN || byte === SUB) this.#state = 'text'
        break
      case 'string':
        if (byte === ESC) this.#state = 'string-escape'
        else if (byte === BEL || byte === CAN || byte === SUB) this.#state = 'text'
        break
      case 'string-escape':
        // ST is ESC \. Anything else begins a sequence of its own.
        this.#state = 'escape'
        if (byte === 0x5c) this.#state = 'text'
        else this.#next(byte)
        break
      default:
        this.#state satisfies never
    }
  }
}

/**
 * One line for an operation on files: `rename /a → /b`, `remove /a: permission denied`, `downloaded /srv/a.tar 1048576 bytes sha256 ...`.
 * Untrusted text. Undefined for other frames, and for answers that say no more than that it went well.
 */
export function sftpLine({ kind, facts }: Pick<Frame, 'kind' | 'facts'>): string | undefined {
  const text = (name: string): string => {
    const value = facts[name]
    return Array.isArray(value) ? value.join('+') : value === undefined || value === null ? '' : String(value)
  }
  const words = [text('operations'), text('path'), ...(text('to') === '' ? [] : ['→', text('to')])].filter((word) => word !== '')
  if (kind === 'file') return text('malformed') === '' ? words.join(' ') : `refused: ${text('malformed')}`
  if (kind !== 'file-reply' && kind !== 'file-close') return undefined
  const moved = (['downloaded', 'uploaded'] as const).flatMap((way) => {
    if (text(way) === '') return []
    const hash = text(`${way}_sha256`)
    return [`${way} ${text('path')} ${text(way)} bytes${hash === '' ? '' : ` sha256 ${hash}`}`]
  })
  const status = text('status')
  if (moved.length > 0) return `${moved.join('; ')}${status === 'ok' ? '' : ` (${status})`}`
  return words.length === 0 || status === '' || status === 'ok' ? undefined : `${words.join(' ')}: ${status}`
}
