import type { Frame } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { EchoView } from '../../schemas/views/echo.ts'
import { HttpView } from '../../schemas/views/http.ts'
import { KubernetesView } from '../../schemas/views/kubernetes.ts'
import { PostgresView } from '../../schemas/views/postgres.ts'
import { SshView } from '../../schemas/views/ssh.ts'
import { sftpLine } from '../../schemas/views/terminal.ts'
import type { Cell, Shown, View } from '../../schemas/views/view.ts'
import { counted } from './format.ts'

export function viewOf(protocol: ProtocolName): View {
  switch (protocol) {
    case 'postgres':
      return new PostgresView()
    case 'egress':
    case 'http':
      return new HttpView()
    case 'kubernetes':
      return new KubernetesView()
    case 'ssh':
      return new SshView()
    case 'echo':
      return new EchoView()
    default:
      return protocol satisfies never
  }
}

export interface ResultTable {
  /** null: the columns' names stand in a frame that is not here. */
  readonly columns: readonly string[] | null
  readonly rows: readonly (readonly Cell[])[]
  /** Number of the first row within the frame, from 0, over all its tables. */
  readonly firstRow: number
}

export type Content =
  | { readonly what: 'table'; readonly table: ResultTable }
  | { readonly what: 'line'; readonly shown: Exclude<Shown, { show: 'columns' | 'row' }> }

/** Rows gathered into tables, everything else as it is, in order. */
export function contentOf(shown: readonly Shown[], columns: readonly string[] | null): Content[] {
  const contents: Content[] = []
  let names = columns
  let rows: (readonly Cell[])[] = []
  let [firstRow, pending] = [0, false]
  const close = (): void => {
    if (rows.length === 0 && !pending) return
    contents.push({ what: 'table', table: { columns: names, rows, firstRow } })
    firstRow += rows.length
    rows = []
    pending = false
  }
  for (const piece of shown) {
    if (piece.show === 'row') rows.push(piece.cells)
    else {
      close()
      if (piece.show === 'columns') {
        names = piece.names
        pending = true
      } else contents.push({ what: 'line', shown: piece })
    }
  }
  close()
  return contents
}

/** Frames fed before the one shown, from the statement it answers: enough to meet the columns' names. */
export const MAX_CONTEXT_FRAMES = 64
/** A body is continued over frames of 1 MiB; a longer message is named by its size (schemas/views). */
export const MAX_CONTINUED_FRAMES = 6

/**
 * What a frame shows, in the light of the frames before it. `frameOf` gives a frame that is here; `missing` tells that one was
 * not, so that what is shown may become more. `since` is the frame of the statement it answers, where that is known.
 */
export function showFrame(
  protocol: ProtocolName,
  frame: Frame,
  since: number | undefined,
  frameOf: (seq: number) => Frame | undefined,
): { readonly contents: readonly Content[]; readonly missing: boolean } {
  const view = viewOf(protocol)
  let columns: readonly string[] | null = null
  let missing = false
  const feed = (seq: number): boolean => {
    const before = frameOf(seq)
    if (before === undefined) {
      missing = true
      return false
    }
    const found = view.read(before).findLast((piece) => piece.show === 'columns')
    if (found?.show === 'columns') columns = found.names
    return true
  }
  const partFrom = continuedFrom(frame, frameOf)
  if (frame.dir === 'out' && since !== undefined) {
    const end = Math.min(partFrom, since + MAX_CONTEXT_FRAMES)
    // Of several results the last one's columns count; of one that is longer than the context, the first.
    const whole = partFrom - since <= MAX_CONTEXT_FRAMES
    for (let seq = since; seq < end && (whole || columns === null) && feed(seq); ) seq += 1
  }
  for (let seq = partFrom; seq < frame.seq; seq += 1) feed(seq)
  return { contents: contentOf(view.read(frame), columns), missing }
}

/** The first frame of a body this one continues; its own number where it begins one. */
function continuedFrom(frame: Frame, frameOf: (seq: number) => Frame | undefined): number {
  let seq = frame.seq
  let part = frame.facts['part']
  for (let back = 0; back < MAX_CONTINUED_FRAMES && (part === 'middle' || part === 'last') && seq > 0; back += 1) {
    seq -= 1
    part = frameOf(seq)?.facts['part']
  }
  return seq
}

/** One line for a list: what the frame is about, from its facts, the text of a command, or a short answer. Untrusted. */
export function summaryOf(protocol: ProtocolName, frame: Frame): string {
  return summaryParts(protocol, frame).join(' · ').slice(0, MAX_SUMMARY_CHARS)
}

/** What moves the cursor and chooses colours: CSI and OSC sequences (ECMA-48). */
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g

/** Of what a terminal was told, the words: in a list they are what is looked for. The frame shows every byte. */
function listed(kind: string, text: string): string {
  if (kind !== 'terminal-output') return text
  const words = text
    .replaceAll(ESCAPES, '')
    .replaceAll(/[\r\n]+/g, ' ')
    .trim()
  return words === '' ? text : words
}

function summaryParts(protocol: ProtocolName, frame: Frame): string[] {
  const { facts, body, dir } = frame
  const files = sftpLine(frame)
  if (files !== undefined) return [files]
  const about: string[] = []
  if (typeof facts['tag'] === 'string') about.push(facts['tag'])
  else if (typeof facts['rows'] === 'number') about.push(counted(facts['rows'], 'row'))
  if (typeof facts['sqlstate'] === 'string') about.push(`sqlstate ${facts['sqlstate']}`)
  if (about.length > 0) return about
  if (body !== null && dir !== 'note' && body.length <= MAX_SUMMARY_BODY) {
    const shown = viewOf(protocol).read(frame)
    const statement = shown.find(({ show }) => show === 'statement')
    if (statement?.show === 'statement') return [statement.text.slice(0, MAX_SUMMARY_CHARS)]
    // What kind of frame it is stands beside it already.
    const words = shown.flatMap((piece) =>
      piece.show === 'word'
        ? [piece.label === frame.kind ? listed(frame.kind, piece.text) : `${piece.label} ${piece.text}`.trim()]
        : [],
    )
    const [first] = words
    if (first !== undefined) return words.length === 1 ? [first] : [first, `${words.length - 1} more`]
  }
  return Object.entries(facts).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(', ') : value}`)
}

/** A line is no wider; and a bulk body is not decoded for one. */
const MAX_SUMMARY_CHARS = 240
const MAX_SUMMARY_BODY = 64 << 10
