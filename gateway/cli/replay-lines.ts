import type { Frame } from '../../schemas/frame.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { SessionInfo } from '../../schemas/session.ts'
import type { VerdictNote } from '../../schemas/verdict.ts'
import type { Cell, Shown } from '../../schemas/views/view.ts'

/** Longer values are cut in tables, saying by how much; `--json` and `--raw` have all of it. */
const MAX_CELL_CHARS = 60
/** A statement is what an investigator reads, so it is given room; beyond this a generated INSERT hides everything else. */
const MAX_TEXT_CHARS = 4_000

export interface LineOptions {
  /** Rows shown per frame. */
  readonly maxRows: number
  readonly color: boolean
}

export interface ShownFrame {
  readonly frame: Frame
  readonly shown: readonly Shown[]
  /** Attested by a recovery only, not by the gateway that recorded it. */
  readonly recovered: boolean
}

const ARROWS = { in: '->', out: '<-', note: '--' } as const
const STYLES = { dim: 2, bold: 1, red: 31, yellow: 33, magenta: 35, cyan: 36 } as const

/** The head of a replay: who, where, when. */
export function sessionLines(info: SessionInfo, options: Pick<LineOptions, 'color'>): string[] {
  const { identity, target } = info
  const who = [identity.kind, ...(identity.principal === undefined ? [] : [`for ${identity.principal}`]), identity.proof].join(
    ', ',
  )
  const claims = Object.entries(info.claims).map(([name, value]) => `${name}=${value}`)
  const facts = [
    ['who', `${identity.subject} (${who})`],
    ['target', `${target.name} (${target.protocol}, ${target.host}:${target.port})`],
    ['client', [info.client, ...claims].join('  ')],
    ['started', `${info.startedAt}, recorded with durability ${info.durability}, policy ${info.policy.slice(0, 12)}`],
  ] as const
  return [
    style('bold', `session ${safeText(info.id)}`, options),
    ...facts.map(([name, text]) => `  ${name.padEnd(8)} ${safeText(text)}`),
  ]
}

/** One frame: a line of its own, then what it says. */
export function frameLines({ frame, shown, recovered }: ShownFrame, options: LineOptions): string[] {
  const marks = [verdictMark(frame), maskMark(frame), recovered ? 'RECOVERED' : ''].filter((mark) => mark !== '')
  const at = `+${(frame.atUs / 1e6).toFixed(3)}s`
  const channel = frame.channel === 0 ? '' : ` channel ${frame.channel}`
  const origin = frame.facts['origin'] === 'gateway' ? ' (said by the gateway)' : ''
  const head = `#${String(frame.seq).padEnd(5)} ${at.padStart(10)}  ${ARROWS[frame.dir]}  ${safeText(frame.kind)}${channel}${origin}`
  const marked = marks.length === 0 ? '' : `  ${style(markStyle(frame.verdict), safeText(marks.join('  ')), options)}`
  const told = frame.dir !== 'note' && shown.some(({ show }) => show !== 'bytes')
  const notes = told ? [] : [factsLine(frame)].filter((line) => line !== '')
  return [style('dim', head, options) + marked, ...[...notes, ...bodyLines(shown, options)].map((line) => `        ${line}`)]
}

function verdictMark({ dir, verdict }: Frame): string {
  // A note's facts say what it is about; it held and blocked nothing itself.
  if (verdict === null || dir === 'note') return ''
  const rules = verdict.rules.length === 0 ? '' : ` by ${verdict.rules.join(', ')}`
  const approval = verdict.approval === undefined ? '' : ` [${verdict.approval}]`
  switch (verdict.act) {
    case 'allow':
      return approval === '' ? '' : `RELEASED${approval}`
    case 'mask':
      return ''
    case 'block':
      // Without a rule: an answer to something the gateway itself asked, which is nobody's to see.
      return rules === '' && approval === '' ? 'NOT PASSED ON' : `BLOCKED${rules}${approval}`
    case 'hold':
      return `HELD${rules}${approval}`
    default:
      return verdict.act satisfies never
  }
}

function markStyle(verdict: VerdictNote | null): keyof typeof STYLES {
  return verdict?.act === 'block' ? 'red' : verdict?.act === 'hold' || verdict?.approval !== undefined ? 'yellow' : 'magenta'
}

/** How often each entity was masked in the frame. */
function maskMark({ masks }: Frame): string {
  if (masks === null || masks.spans.length === 0) return ''
  const counts = new Map<string, number>()
  // 16 bytes per span, the label's index in the eighth (schemas/frame.ts).
  for (let at = 7; at < masks.spans.length; at += 16) {
    const entity = masks.labels[masks.spans[at] ?? 0]?.[0] ?? 'masked'
    counts.set(entity, (counts.get(entity) ?? 0) + 1)
  }
  return `MASKED ${[...counts].map(([entity, count]) => `${entity} x${count}`).join(', ')}`
}

function factsLine(frame: Frame): string {
  const facts = Object.entries(frame.facts).map(
    ([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : String(value)}`,
  )
  return safeText(shorten(facts.join('  '), MAX_TEXT_CHARS))
}

function bodyLines(shown: readonly Shown[], options: LineOptions): string[] {
  const lines: string[] = []
  for (let at = 0; at < shown.length; ) {
    const piece = shown[at]
    if (piece === undefined) break
    if (piece.show === 'columns' || piece.show === 'row') {
      const end = tableEnd(shown, at)
      lines.push(...tableLines(shown.slice(at, end), options))
      at = end
      continue
    }
    lines.push(...pieceLines(piece, options))
    at++
  }
  return lines
}

function pieceLines(piece: Exclude<Shown, { show: 'columns' | 'row' }>, options: LineOptions): string[] {
  switch (piece.show) {
    case 'statement': {
      const [first = '', ...more] = textLines(piece.text)
      return [
        style('cyan', `${safeText(piece.label)}: ${first}`, options),
        ...more.map((line) => style('cyan', `  ${line}`, options)),
      ]
    }
    case 'word': {
      const [first = '', ...more] = textLines(piece.text)
      return [`${safeText(piece.label)}${first === '' ? '' : `: ${first}`}`, ...more.map((line) => `  ${line}`)]
    }
    case 'bytes':
      return [`${safeText(piece.label)}: ${piece.size} bytes, not shown`]
    default:
      return piece satisfies never
  }
}

/** Line ends within a text are the asker's layout and kept; every other control character is shown escaped. */
function textLines(text: string): string[] {
  return shorten(text, MAX_TEXT_CHARS)
    .split(/\r?\n/)
    .map((line) => safeText(line))
}

/** A table is an optional line of columns and the rows after it. */
function tableEnd(shown: readonly Shown[], from: number): number {
  let at = from + 1
  while (shown[at]?.show === 'row') at++
  return at
}

function tableLines(pieces: readonly Shown[], options: LineOptions): string[] {
  const head = pieces.flatMap((piece) =>
    piece.show === 'columns' ? [piece.names.map((name) => safeText(shorten(name, MAX_CELL_CHARS)))] : [],
  )
  const rows = pieces.flatMap((piece) => (piece.show === 'row' ? [piece.cells.map(cellText)] : []))
  const visible = rows.slice(0, options.maxRows)
  const widths: number[] = []
  for (const cells of [...head, ...visible]) {
    for (const [index, cell] of cells.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join(' | ')
      .trimEnd()
  const rest = rows.length - visible.length
  return [
    ...head.flatMap((names) => [line(names), widths.map((width) => '-'.repeat(width)).join('-+-')]),
    ...visible.map(line),
    ...(rest > 0 ? [`... and ${rest} more rows of this frame (--rows ${rows.length} shows them)`] : []),
  ]
}

/** Masked values are hatched; where only NULL is left, what was there is named. */
function cellText({ text, masked }: Cell): string {
  const value = text === null ? (masked === undefined ? 'NULL' : `NULL:${masked}`) : safeText(shorten(text, MAX_CELL_CHARS))
  return masked === undefined ? value : `░${safeText(value)}░`
}

function shorten(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}... (${text.length - maxChars} more characters)`
}

function style(name: keyof typeof STYLES, text: string, { color }: Pick<LineOptions, 'color'>): string {
  return color ? `\u001b[${STYLES[name]}m${text}\u001b[0m` : text
}
