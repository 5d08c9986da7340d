import type { Field, RedactionSink, StreamRedactor } from '../message.ts'
import { isChance } from './chance.ts'
import { codeBytes } from './code-share.ts'
import type { Covers } from './cover.ts'
import { MAX_LOOK_AHEAD, MAX_LOOK_BACK } from './detector.ts'
import type { Scanner } from './engine.ts'
import { OVERLOAD_ID } from './hits.ts'
import { type Label, ownSink, type Sink } from './sink.ts'
import { TailRun } from './tail.ts'

/** Bytes taken in at once; with the hold-back they fill the buffer. */
const SLICE_SIZE = 8192
/** As much of what comes in pieces larger than that: a stream in bulk keeps a larger buffer. */
const BULK_SLICE_SIZE = 4 * SLICE_SIZE
/** At most held back: what a candidate may look ahead at, and what a later one may look back on. */
export const MAX_HOLD_BACK = MAX_LOOK_AHEAD + MAX_LOOK_BACK
const CODE_WINDOW_SIZE = 1024
/** The last bytes released stay visible to detectors: what stands before a value decides with. */
const BUFFER_SIZE = MAX_LOOK_BACK + MAX_HOLD_BACK + SLICE_SIZE
const BULK_BUFFER_SIZE = MAX_LOOK_BACK + MAX_HOLD_BACK + BULK_SLICE_SIZE

/**
 * Same-length masking of one field in pieces. A trigger is verified only once all bytes it may look at are there, so the
 * way the field is cut changes nothing but the times at which bytes come out.
 */
export class Stream implements StreamRedactor {
  readonly #field: Field
  readonly #scanner: Scanner
  /** Looks ahead, when bytes must go on before all is there that decides. */
  readonly #ahead: Scanner
  readonly #covers: Covers
  readonly #anyBytes: boolean
  /** What source code is called, where it is masked; and the end of what came, which the next piece may go on. */
  readonly #code: Label | undefined
  #before = Buffer.alloc(0)
  #buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE)
  #sliceSize = SLICE_SIZE
  readonly #tail = new TailRun()
  /** Of the tail on its way; after an overload, of all that follows. */
  #tailEntity = OVERLOAD_ID
  #isOverload = false
  /** buffer[0, released) is out, kept for looking back; buffer[released, size) is held. */
  #released = 0
  #size = 0
  /** What is held of buffer[0, codeEnd) was taken for code. */
  #codeEnd = 0

  /** `anyBytes`: it may be no text at all. */
  constructor(
    field: Field,
    scanner: Scanner,
    ahead: Scanner,
    covers: Covers,
    { anyBytes, code }: { readonly anyBytes: boolean; readonly code: Label | undefined },
  ) {
    this.#field = field
    this.#scanner = scanner
    this.#ahead = ahead
    this.#covers = covers
    this.#anyBytes = anyBytes
    this.#code = code
    scanner.begin(0)
  }

  push(sink: RedactionSink, source: Uint8Array, from: number, to: number): void {
    const own = ownSink(sink)
    if (this.#field.action !== 'scan') {
      this.#pass(own, source, from, to)
      return
    }
    if (to - from > this.#sliceSize) this.#grow()
    for (let at = from; at < to; ) {
      const size = Math.min(this.#sliceSize, to - at)
      this.#take(source, at, at + size)
      at += size
      // Code is scanned like all else: a value that begins in it may go on behind it.
      if (this.#code !== undefined && this.#isCode(source, at - size, at)) this.#codeEnd = this.#size
      this.#scan(own, this.#size - MAX_LOOK_AHEAD)
    }
  }

  end(sink: RedactionSink): void {
    if (this.#field.action !== 'scan') return
    const own = ownSink(sink)
    this.#scan(own, this.#size)
    this.#release(own, this.#size)
  }

  /** What is kept back, as it came. Only until the next call. */
  get held(): Uint8Array {
    return this.#buffer.subarray(this.#released, this.#size)
  }

  /**
   * Releases all but the last `keep` bytes before the time, going by what is there: a value that stands there whole is masked, and
   * one that turns out to be one later is masked from what is still to come on.
   */
  settle(sink: RedactionSink, keep: number): void {
    const to = this.#size - keep
    if (to <= this.#released) return
    const own = ownSink(sink)
    const ahead = this.#ahead
    ahead.begin(Math.max(0, this.#released - MAX_LOOK_BACK))
    ahead.feed(this.#size - this.#released)
    while (ahead.next(this.#buffer, 0, this.#size, this.#size) && ahead.start < to) {
      if (this.#isChance(ahead)) continue
      this.#release(own, ahead.start)
      if (ahead.entityId === OVERLOAD_ID) {
        this.#cover(own, to, OVERLOAD_ID)
        break
      }
      const { entityId, tail } = ahead
      let { end } = ahead
      if (tail !== null) {
        end = this.#tail.begin(tail).run(this.#buffer, end, this.#size)
        if (this.#tail.active) {
          // What goes on from here is more of it, however far back its beginning will be by then.
          this.#tailEntity = entityId
          this.#cover(own, end, entityId)
          return
        }
        ahead.resume(end)
      }
      this.#cover(own, end, entityId)
    }
    this.#release(own, to)
  }

  #pass(sink: Sink, source: Uint8Array, from: number, to: number): void {
    if (this.#field.action === 'skip') sink.copy(source, from, to)
    else if (from < to) this.#covers.writeStars(sink, this.#covers.ofField(this.#field), source, from, to)
  }

  #grow(): void {
    if (this.#sliceSize === BULK_SLICE_SIZE) return
    const larger = Buffer.allocUnsafeSlow(BULK_BUFFER_SIZE)
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
    this.#sliceSize = BULK_SLICE_SIZE
  }

  #take(source: Uint8Array, from: number, to: number): void {
    // What went on before its time is still to be scanned, but where all is covered anyway.
    const covered = this.#tail.active || this.#isOverload
    const done = covered ? this.#released : Math.min(this.#released, this.#scanner.position)
    const drop = Math.max(0, done - MAX_LOOK_BACK)
    // Only for room: what comes key by key would move all that is looked back on with each of them.
    if (drop > 0 && this.#size + to - from > this.#buffer.length) {
      this.#buffer.copyWithin(0, drop, this.#size)
      this.#released -= drop
      this.#size -= drop
      this.#codeEnd = Math.max(0, this.#codeEnd - drop)
      this.#scanner.shift(drop)
    }
    this.#buffer.set(source.subarray(from, to), this.#size)
    this.#size += to - from
    this.#scanner.feed(to - from)
  }

  #scan(sink: Sink, until: number): void {
    const scanner = this.#scanner
    if (this.#isOverload) {
      this.#cover(sink, this.#size, this.#tailEntity)
      return
    }
    if (this.#tail.active) {
      this.#cover(sink, this.#tail.run(this.#buffer, this.#released, this.#size), this.#tailEntity)
      if (this.#tail.active) return
      scanner.resume(this.#released)
    }
    while (scanner.next(this.#buffer, 0, this.#size, until)) {
      if (this.#isChance(scanner)) continue
      if (scanner.entityId === OVERLOAD_ID) {
        // What a candidate may still have begun is hidden too.
        this.#isOverload = true
        this.#tailEntity = OVERLOAD_ID
        this.#release(sink, scanner.start - MAX_LOOK_BACK)
        this.#cover(sink, this.#size, this.#tailEntity)
        return
      }
      let end = scanner.end
      if (scanner.tail !== null) {
        end = this.#tail.begin(scanner.tail).run(this.#buffer, end, this.#size)
        this.#tailEntity = scanner.entityId
        scanner.resume(end)
      }
      this.#release(sink, scanner.start)
      this.#cover(sink, end, scanner.entityId)
      if (this.#tail.active) return
    }
    // Later hits begin at most so far back.
    this.#release(sink, scanner.position - MAX_LOOK_BACK)
  }

  /** Going by these bytes and the last kilobyte before them: programs may write line by line. */
  #isCode(source: Uint8Array, from: number, to: number): boolean {
    const all = Buffer.concat([this.#before, source.subarray(from, to)])
    this.#before = all.subarray(-CODE_WINDOW_SIZE)
    return codeBytes(all) > 0
  }

  /** Asked of what may be no text at all; a field of a known type is text. */
  #isChance({ start, end, entityId }: Scanner): boolean {
    return this.#anyBytes && isChance(this.#buffer, 0, start, end, this.#size, entityId)
  }

  /** Nothing was found in it: it goes out as it came, or covered where it is part of code. */
  #release(sink: Sink, to: number): void {
    const codeEnd = Math.min(this.#codeEnd, to)
    if (this.#code !== undefined && codeEnd > this.#released) {
      this.#covers.writeStars(sink, this.#covers.ofLabel(this.#code), this.#buffer, this.#released, codeEnd)
      this.#released = codeEnd
    }
    if (to <= this.#released) return
    sink.copy(this.#buffer, this.#released, to)
    this.#released = to
  }

  #cover(sink: Sink, to: number, entityId: number): void {
    if (to <= this.#released) return
    this.#covers.writeStars(sink, this.#covers.ofEntity(entityId), this.#buffer, this.#released, to)
    this.#released = to
  }
}
