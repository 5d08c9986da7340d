import type { StatementRow } from '../../schemas/api.ts'
import type { Act } from '../../schemas/verdict.ts'
import type { ChunkState } from '../data/tape.ts'
import type { TapeMap } from '../data/tape-map.ts'

/** What of a session's time is in sight. */
export interface Span {
  readonly fromUs: number
  readonly toUs: number
}

export interface Bar {
  readonly x: number
  readonly width: number
}

/** Everything drawn, in pixels across and shares (0 to 1) up; colours are the canvas's business. */
export interface TimeLineLayout {
  readonly density: readonly (Bar & { readonly share: number })[]
  /** Result rows so far, as a share of all. */
  readonly rows: readonly { readonly x: number; readonly share: number }[]
  readonly marks: readonly { readonly x: number; readonly act: Act }[]
  /** From a hold to its end. */
  readonly holds: readonly Bar[]
  readonly checks: readonly (Bar & { readonly state: ChunkState; readonly recovered: boolean })[]
  readonly gaps: readonly Bar[]
  readonly ticks: readonly { readonly x: number; readonly us: number }[]
  /** Where an unsealed tape ends; undefined where it is sealed or out of sight. */
  readonly openEnd: number | undefined
}

/** Labels stand at least so far from each other. */
const TICK_PX = 110
const STEPS = [1, 2, 5]

/** From the index and the statements only: no frame is fetched to draw it. */
export function layOut(
  map: TapeMap,
  statements: readonly StatementRow[],
  checked: readonly ChunkState[],
  span: Span,
  width: number,
): TimeLineLayout {
  const scale = width / Math.max(1, span.toUs - span.fromUs)
  const x = (us: number): number => (us - span.fromUs) * scale
  const bar = (fromUs: number, toUs: number, least: number): Bar => ({
    x: x(fromUs),
    width: Math.max(least, (toUs - fromUs) * scale),
  })
  const inSight = ({ x: at, width: wide }: Bar): boolean => at + wide >= 0 && at <= width
  return {
    density: densityBars(map, span, width),
    rows: rowCurve(map, x),
    marks: apart(
      statements.flatMap(({ atUs, verdict }) =>
        verdict === null || verdict === 'allow' || atUs < span.fromUs || atUs > span.toUs ? [] : [{ x: x(atUs), act: verdict }],
      ),
    ),
    holds: statements
      .flatMap(({ atUs, durationUs, approval }) =>
        approval === null ? [] : [bar(atUs, atUs + (durationUs ?? map.durationUs - atUs), 3)],
      )
      .filter(inSight),
    checks: joined(
      map.chunks.map(({ n, firstUs, lastUs, recovered }, index) => {
        // To the next chunk's start: the strip tells of the tape, which has no holes where time has.
        const until = map.chunks[index + 1]?.firstUs ?? lastUs
        return { ...bar(firstUs, Math.max(until, lastUs), 1), state: checked[n] ?? 'waiting', recovered }
      }),
    ).filter(inSight),
    gaps: map.gaps.map(({ fromUs, toUs }) => bar(fromUs, toUs, 3)).filter(inSight),
    ticks: ticksOf(span, width, x),
    openEnd: map.end.kind === 'sealed' || map.durationUs > span.toUs ? undefined : x(map.durationUs),
  }
}

/** Of marks that would cover each other one is enough. */
function apart(marks: TimeLineLayout['marks']): TimeLineLayout['marks'] {
  const last = new Map<Act, number>()
  return marks.filter(({ x, act }) => {
    if (x - (last.get(act) ?? Number.NEGATIVE_INFINITY) < 1) return false
    last.set(act, x)
    return true
  })
}

/** Chunks that look alike and touch are one bar: a quiet session has thousands, drawn whenever one more is checked. */
function joined(checks: TimeLineLayout['checks']): TimeLineLayout['checks'] {
  const bars: TimeLineLayout['checks'][number][] = []
  for (const check of checks) {
    const last = bars.at(-1)
    const touches = last?.state === check.state && last.recovered === check.recovered && check.x - (last.x + last.width) < 0.5
    if (touches) bars[bars.length - 1] = { ...last, width: Math.max(last.width, check.x + check.width - last.x) }
    else bars.push(check)
  }
  return bars
}

function densityBars({ density }: TapeMap, span: Span, width: number): TimeLineLayout['density'] {
  const columns = Math.max(1, Math.floor(width / 3))
  const counts = new Array<number>(columns).fill(0)
  const columnUs = (span.toUs - span.fromUs) / columns
  for (const [index, count] of density.counts.entries()) {
    if (count === 0) continue
    const from = (index * density.binUs - span.fromUs) / columnUs
    const to = from + density.binUs / columnUs
    // A bin wider than a column is spread over those it covers.
    const [first, last] = [Math.floor(from), Math.max(Math.floor(from), Math.ceil(to) - 1)]
    for (let column = Math.max(0, first); column <= Math.min(columns - 1, last); column += 1)
      counts[column] = (counts[column] ?? 0) + count / (last - first + 1)
  }
  const most = Math.max(1, ...counts)
  return counts.flatMap((count, column) =>
    // The root keeps a single frame visible beside a burst of thousands.
    count === 0 ? [] : [{ x: column * 3, width: 2, share: Math.max(0.06, Math.sqrt(count / most)) }],
  )
}

function rowCurve({ chunks }: TapeMap, x: (us: number) => number): TimeLineLayout['rows'] {
  const all = chunks.reduce((sum, chunk) => sum + chunk.rows, 0)
  if (all === 0) return []
  let sum = 0
  return [
    { x: x(0), share: 0 },
    ...chunks.flatMap(({ firstUs, lastUs, rows }) => {
      const before = { x: x(firstUs), share: sum / all }
      sum += rows
      return [before, { x: x(lastUs), share: sum / all }]
    }),
  ]
}

function ticksOf(span: Span, width: number, x: (us: number) => number): TimeLineLayout['ticks'] {
  const wanted = Math.max(1, Math.floor(width / TICK_PX))
  const rough = Math.max(1, (span.toUs - span.fromUs) / wanted)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = (STEPS.find((one) => one * power >= rough) ?? 10) * power
  const ticks: { x: number; us: number }[] = []
  for (let us = Math.ceil(span.fromUs / step) * step; us <= span.toUs; us += step) ticks.push({ x: x(us), us })
  return ticks
}

/** Nearer or farther, about a moment that stays where it is. */
export function zoomed(span: Span, durationUs: number, by: 1 | -1, aboutUs: number): Span {
  const factor = by === 1 ? 0.5 : 2
  const width = Math.min(durationUs, Math.max(1_000, (span.toUs - span.fromUs) * factor))
  const share = (aboutUs - span.fromUs) / Math.max(1, span.toUs - span.fromUs)
  const fromUs = Math.min(Math.max(0, aboutUs - width * share), Math.max(0, durationUs - width))
  return { fromUs, toUs: fromUs + width }
}

/** As wide as before, moved so that the moment is in sight. */
export function following(span: Span, atUs: number): Span {
  if (atUs >= span.fromUs && atUs <= span.toUs) return span
  const width = span.toUs - span.fromUs
  const fromUs = Math.max(0, atUs - width * 0.1)
  return { fromUs, toUs: fromUs + width }
}
