import { safeText } from '../../schemas/safe-text.ts'
import type { TopGateway, TopHold, TopSession, TopSnapshot } from './top-fleet.ts'

/** What sessions are listed by: first the key that chooses it. */
export const ORDERS = {
  f: 'frames',
  o: 'out',
  w: 'who',
  t: 'target',
  a: 'age',
} as const
export type Order = (typeof ORDERS)[keyof typeof ORDERS]

/** Holds shown at most; whoever has more looks into the console. */
const MAX_HOLDS = 5
/** Narrower than this nothing can be read. */
const MIN_COLUMNS = 60
/** Two columns wide on terminals. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u
const NO_WIDTH = /\p{M}/u

const BY: Readonly<Record<Order, (a: TopSession, b: TopSession) => number>> = {
  frames: (a, b) => b.framesPerSecond - a.framesPerSecond || b.frames - a.frames,
  out: (a, b) => b.bytesOutPerSecond - a.bytesOutPerSecond,
  who: (a, b) => compare(a.subject, b.subject),
  target: (a, b) => compare(a.target, b.target),
  age: (a, b) => b.seconds - a.seconds,
}

/** A snapshot as lines of at most `columns`; everything that others chose is escaped. `rows` undefined: all of it. */
export function topLines(
  snapshot: TopSnapshot,
  { columns, rows, order }: { readonly columns: number; readonly rows?: number; readonly order: Order },
): readonly string[] {
  const width = Math.max(MIN_COLUMNS, columns)
  const { at, gateways, sessions, holds, problems } = snapshot
  const lines = [
    `sallyport top  ${at.slice(0, 19)}Z  ${sessions?.length ?? '?'} sessions, ${holds?.length ?? '?'} requests wait`,
    ...problems.map((problem) => `! ${safeText(problem)}`),
  ]
  if (gateways.length > 0) {
    lines.push('', gatewayLine(width, ['GATEWAY', 'SESS', 'HOLD', 'MSG/S', 'IN/S', 'OUT/S', 'BLOCK', 'LAG', 'MEM', 'CPU']))
    for (const each of gateways) lines.push(gatewayLine(width, gatewayCells(each)))
  }
  const waiting = [...(holds ?? [])].sort((a, b) => b.waitingSeconds - a.waitingSeconds)
  if (waiting.length > 0) {
    lines.push('', 'WAITING FOR A PERSON')
    lines.push(...waiting.slice(0, MAX_HOLDS).map(holdLine))
    if (waiting.length > MAX_HOLDS) lines.push(`  and ${waiting.length - MAX_HOLDS} more`)
  }
  if (sessions !== undefined) {
    const head = ['WHO', 'TARGET', 'PROTOCOL', 'AGE', 'FRAMES', 'FR/S', 'OUT/S', 'VERDICTS']
    lines.push('', sessionLine(width, head))
    for (const each of [...sessions].sort(BY[order])) lines.push(sessionLine(width, sessionCells(each)))
  }
  const cut = lines.map((line) => fitted(line, width).trimEnd())
  if (rows === undefined) return cut
  const keys = `q quit  sorted by ${order}: ${Object.entries(ORDERS)
    .map(([key, name]) => `${key} ${name}`)
    .join('  ')}`
  const shown = cut.slice(0, Math.max(1, rows - 2))
  const left = cut.length - shown.length
  return [...shown, fitted(left > 0 ? `${left} more lines` : '', width).trimEnd(), fitted(keys, width).trimEnd()]
}

function gatewayCells(each: TopGateway): readonly string[] {
  const { address, problem, sessions, holds, messagesPerSecond, bytesInPerSecond, bytesOutPerSecond } = each
  if (problem !== undefined) return [`${address}: ${problem}`]
  const { verdicts, recorderLagSeconds, memoryBytes, cpuPercent } = each
  return [
    address,
    String(sessions),
    String(holds),
    short(messagesPerSecond),
    short(bytesInPerSecond),
    short(bytesOutPerSecond),
    short(verdicts.block),
    `${recorderLagSeconds.toFixed(1)}s`,
    short(memoryBytes),
    cpuPercent === undefined ? '-' : `${Math.round(cpuPercent)}%`,
  ]
}

function gatewayLine(width: number, cells: readonly string[]): string {
  return cells.length === 1 ? safeText(cells[0] ?? '') : columnsOf(width, cells, [5, 5, 6, 6, 6, 6, 6, 6, 5])
}

function sessionCells(each: TopSession): readonly string[] {
  const { subject, principal, target, protocol, seconds, frames, framesPerSecond, bytesOutPerSecond, verdicts, masked } = each
  const marks = [
    [verdicts.block, 'B'],
    [verdicts.hold, 'H'],
    [masked, 'M'],
  ].flatMap(([count, mark]) => (Number(count) > 0 ? [`${mark}${short(Number(count))}`] : []))
  return [
    principal === undefined ? subject : `${subject} for ${principal}`,
    target,
    protocol,
    age(seconds),
    short(frames),
    short(framesPerSecond),
    short(bytesOutPerSecond),
    marks.join(' '),
  ]
}

function sessionLine(width: number, [who = '', target = '', protocol = '', ...others]: readonly string[]): string {
  const marks = others.at(-1) ?? ''
  const left = columnsOf(width - 12, [who, ...others.slice(0, -1)], [4, 6, 5, 6], [fitted(target, 12), fitted(protocol, 8)])
  return `${left} ${marks}`
}

/** The first cell takes what the others leave, to the left; numbers stand to the right. `after`: already fitted, behind the first. */
function columnsOf(
  width: number,
  [first = '', ...numbers]: readonly string[],
  widths: readonly number[],
  after: readonly string[] = [],
): string {
  const taken = widths.reduce((sum, each) => sum + each + 1, 0) + after.reduce((sum, each) => sum + widthOf(each) + 1, 0)
  const cells = numbers.map((text, index) => {
    const own = widths[index] ?? text.length
    return text.length > own ? fitted(text, own) : text.padStart(own)
  })
  return [fitted(first, Math.max(8, width - taken)), ...after, ...cells].join(' ')
}

function holdLine({ id, requester, target, about, waitingSeconds }: TopHold): string {
  return `  ${safeText(id)}  ${age(waitingSeconds).padStart(4)}  ${safeText(about)}  ${safeText(target ?? '')}  ${safeText(requester)}`
}

/** Exactly so many columns of a terminal: escaped, cut with `…` or filled up. */
function fitted(text: string, columns: number): string {
  const safe = safeText(text)
  const whole = widthOf(safe)
  if (whole <= columns) return safe + ' '.repeat(columns - whole)
  let [kept, used] = ['', 0]
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(safe)) {
    const own = widthOf(segment)
    if (used + own > columns - 1) break
    kept += segment
    used += own
  }
  return `${kept}…${' '.repeat(columns - 1 - used)}`
}

function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** At most five characters: 987, 12.3k, 4.5M. */
function short(value: number | undefined): string {
  if (value === undefined) return '-'
  const units = ['', 'k', 'M', 'G', 'T']
  let [scaled, unit] = [value, 0]
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1_000
    unit += 1
  }
  return `${scaled >= 99.5 || unit === 0 ? Math.round(scaled) : scaled.toFixed(1)}${units[unit]}`
}

function age(seconds: number): string {
  if (seconds < 100) return `${seconds}s`
  if (seconds < 100 * 60) return `${Math.floor(seconds / 60)}m`
  return seconds < 100 * 3_600 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
