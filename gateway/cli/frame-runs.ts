import type { FrameRuns } from '../../recorder/index.ts'

/** An excerpt is read whole by whoever verifies it. */
const MAX_FRAMES = 100_000

/** `10-20,35`: runs of frame numbers, put in order and together. Undefined for anything else. */
export function parseFrames(text: string): FrameRuns | undefined {
  const runs: [number, number][] = []
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(part.trim()) ?? []
    if (first === undefined || last === undefined || Number(last) < Number(first)) return undefined
    runs.push([Number(first), Number(last)])
  }
  const merged: [number, number][] = []
  for (const run of runs.sort(([a], [b]) => a - b)) {
    const before = merged.at(-1)
    if (before !== undefined && run[0] <= before[1] + 1) before[1] = Math.max(before[1], run[1])
    else merged.push(run)
  }
  return merged.reduce((sum, [first, last]) => sum + last - first + 1, 0) > MAX_FRAMES ? undefined : merged
}
