import type { Entry, Facts } from '../frame.ts'
import { isReleased, MASK_SPAN_SIZE } from '../frame.ts'
import { PART_FACT, ROWS_FACT, STATEMENTS_FACT, type Totals } from '../tape.ts'
import type { Act } from '../verdict.ts'

/** Adds frames up. The recorder's and the verifier's sums are made by this one class, so that they can be compared. */
export class Tally {
  frames = 0
  bytesIn = 0
  bytesOut = 0
  bytesNote = 0
  rows = 0
  statements = 0
  masked = 0
  readonly verdicts: Record<Act, number> = { allow: 0, mask: 0, block: 0, hold: 0 }

  /** One frame: the entry's direction and verdict, this frame's facts, body and spans. */
  add(entry: Pick<Entry, 'dir' | 'verdict'>, facts: Facts, bodySize: number, spansSize: number): void {
    this.frames += 1
    this.masked += spansSize / MASK_SPAN_SIZE
    switch (entry.dir) {
      case 'in':
        this.bytesIn += bodySize
        this.statements += countOf(facts[STATEMENTS_FACT])
        break
      case 'out':
        this.bytesOut += bodySize
        // Rows that left: a result that was cut counts as far as the client got it.
        if (isReleased(entry)) this.rows += countOf(facts[ROWS_FACT])
        break
      case 'note':
        this.bytesNote += bodySize
        return
      default:
        entry.dir satisfies never
    }
    const part = facts[PART_FACT]
    if (part === undefined || part === 'first') this.verdicts[entry.verdict?.act ?? 'allow'] += 1
  }

  /** Adds another's sums. */
  join(other: Tally): void {
    this.frames += other.frames
    this.bytesIn += other.bytesIn
    this.bytesOut += other.bytesOut
    this.bytesNote += other.bytesNote
    this.rows += other.rows
    this.statements += other.statements
    this.masked += other.masked
    for (const act of ['allow', 'mask', 'block', 'hold'] as const) this.verdicts[act] += other.verdicts[act]
  }

  get bodies(): number {
    return this.bytesIn + this.bytesOut + this.bytesNote
  }

  totals(): Totals {
    const { frames, bytesIn, bytesOut, rows, statements, masked } = this
    return { frames, bytesIn, bytesOut, rows, statements, masked, verdicts: { ...this.verdicts } }
  }
}

function countOf(fact: Facts[string] | undefined): number {
  return typeof fact === 'number' && Number.isSafeInteger(fact) && fact > 0 ? fact : 0
}
