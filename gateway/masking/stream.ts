import type { Field, RedactionSink, StreamRedactor } from '../message.ts'
import type { Covers } from './cover.ts'
import { MAX_LOOK_AHEAD, MAX_LOOK_BACK } from './detector.ts'
import type { Scanner } from './engine.ts'
import { type HitEntity, Hits } from './hits.ts'
import { Sink } from './sink.ts'
import { TailRun } from './tail.ts'

/** Bytes taken in at once; with the hold-back they fill the buffer. */
const SLICE_SIZE = 8192
/** At most held back: a candidate's look-ahead, a hit as long as that just before it, and what a later one may look back on. */
export const MAX_HOLD_BACK = 2 * MAX_LOOK_AHEAD + MAX_LOOK_BACK
/** Bytes already released that stay visible to detectors: what stands before a value decides with. */
const BUFFER_SIZE = MAX_LOOK_BACK + MAX_HOLD_BACK + SLICE_SIZE

/**
 * Same-length masking of one field in pieces. A trigger is verified only once all bytes it may look at are there, so the
 * way the field is cut changes nothing but the times at which bytes come out.
 */
export class Stream implements StreamRedactor {
  readonly #field: Field
  readonly #scanner: Scanner
  readonly #covers: Covers
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE)
  readonly #hits = new Hits()
  readonly #tail = new TailRun()
  #tailEntity: HitEntity = 'overload'
  #isOverload = false
  /** buffer[0, released) is out, kept for looking back; buffer[released, size) is held. */
  #released = 0
  #size = 0

  constructor(field: Field, scanner: Scanner, covers: Covers) {
    this.#field = field
    this.#scanner = scanner
    this.#covers = covers
    scanner.begin(0)
  }

  push(sink: RedactionSink, source: Uint8Array, from: number, to: number): void {
    const own = ownSink(sink)
    if (this.#field.action !== 'scan') {
      this.#pass(own, source, from, to)
      return
    }
    for (let at = from; at < to; ) {
      const size = Math.min(SLICE_SIZE, to - at)
      this.#take(source, at, at + size)
      at += size
      this.#scan(own, this.#size - MAX_LOOK_AHEAD)
    }
  }

  end(sink: RedactionSink): void {
    if (this.#field.action !== 'scan') return
    const own = ownSink(sink)
    this.#scan(own, this.#size)
    this.#release(own, this.#size)
  }

  #pass(sink: Sink, source: Uint8Array, from: number, to: number): void {
    if (this.#field.action === 'skip') sink.copy(source, from, to)
    else if (from < to) this.#covers.writeStars(sink, this.#covers.ofField(this.#field), source, from, to)
  }

  #take(source: Uint8Array, from: number, to: number): void {
    const drop = Math.max(0, this.#released - MAX_LOOK_BACK)
    if (drop > 0) {
      this.#buffer.copyWithin(0, drop, this.#size)
      this.#released -= drop
      this.#size -= drop
      this.#scanner.shift(drop)
      this.#hits.shift(drop)
    }
    this.#buffer.set(source.subarray(from, to), this.#size)
    this.#size += to - from
    this.#scanner.feed(to - from)
  }

  #scan(sink: Sink, until: number): void {
    const scanner = this.#scanner
    if (this.#isOverload) {
      this.#swallow(sink, this.#size)
      return
    }
    if (this.#tail.active) {
      this.#swallow(sink, this.#tail.run(this.#buffer, this.#released, this.#size))
      if (this.#tail.active) return
      scanner.resume(this.#released)
    }
    while (scanner.next(this.#buffer, 0, this.#size, until)) {
      if (scanner.entity === 'overload') {
        // What a candidate may still have begun is hidden too.
        this.#isOverload = true
        this.#tailEntity = 'overload'
        this.#release(sink, Math.max(this.#released, scanner.start - MAX_LOOK_BACK))
        this.#swallow(sink, this.#size)
        return
      }
      let end = scanner.end
      if (scanner.tail !== null) {
        end = this.#tail.begin(scanner.tail).run(this.#buffer, end, this.#size)
        scanner.resume(end)
      }
      this.#hits.add(scanner.start, end, scanner.entity)
      if (this.#tail.active) {
        this.#tailEntity = scanner.entity
        this.#release(sink, end)
        return
      }
    }
    this.#release(sink, this.#boundary(Math.min(scanner.position, this.#size) - MAX_LOOK_BACK))
  }

  /** Where the released part may end: not inside a hit, which a later one may still join. */
  #boundary(limit: number): number {
    let boundary = Math.max(limit, this.#released)
    for (let i = 0; i < this.#hits.count; i++) {
      const start = this.#hits.startOf(i)
      if (start < boundary && boundary < this.#hits.endOf(i)) boundary = start
    }
    return Math.max(boundary, this.#released)
  }

  #release(sink: Sink, to: number): void {
    const hits = this.#hits
    let done = 0
    for (; done < hits.count; done++) {
      const start = Math.max(hits.startOf(done), this.#released)
      const end = hits.endOf(done)
      if (start >= to) break
      sink.copy(this.#buffer, this.#released, start)
      this.#covers.writeStars(sink, this.#covers.ofEntity(hits.entityOf(done)), this.#buffer, start, end)
      this.#released = end
    }
    hits.drop(done)
    if (this.#released < to) {
      sink.copy(this.#buffer, this.#released, to)
      this.#released = to
    }
  }

  /** Releases everything up to `to` as part of what is being masked. */
  #swallow(sink: Sink, to: number): void {
    if (to > this.#released) {
      this.#covers.writeStars(sink, this.#covers.ofEntity(this.#tailEntity), this.#buffer, this.#released, to)
      this.#released = to
    }
  }
}

function ownSink(sink: RedactionSink): Sink {
  if (!(sink instanceof Sink)) throw new TypeError('fields are written to a sink made by this masker')
  return sink
}
