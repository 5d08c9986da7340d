import { type Detector, MAX_LOOK_AHEAD, MAX_LOOK_BACK, MIN_FIELD_SIZE, type Probe, type Tail } from './detector.ts'
import { AUTOMATON, DETECTORS } from './detectors.ts'
import { HIT_ENTITIES, type Hits, OVERLOAD_ID } from './hits.ts'
import { Lane } from './lane.ts'
import type { MaskingRules } from './rules.ts'
import { TailRun } from './tail.ts'

/**
 * Work allowed per field, in bytes looked at by candidates that came to nothing: so much to begin with, and so much per
 * byte of the field. Spent, the whole field is masked as `overload`: hostile input costs linear time and never passes.
 */
const WORK_ALLOWANCE = 65_536
const WORK_PER_BYTE = 8
/** What calling a detector costs, in bytes looked at; and what a hit costs, which is to be hashed and written. */
const WORK_PER_CANDIDATE = 8
const WORK_PER_HIT = 128

/** A detector, and what its hits are called: an index into HIT_ENTITIES, or past them of the rules' own. */
export interface Owner {
  readonly detector: Pick<Detector, 'verify'>
  readonly entityId: number
}

/** For each accepting state of the automaton, who is asked. */
export type Accepts = readonly (readonly Owner[])[]

/** Sets of detectors kept, one per combination that policies make of identities: few. */
const MAX_KEPT = 64
/** By which detectors are on. A scanner's own would be half of what an idle session keeps. */
const kept = new Map<string, Accepts>()

/** The same for like rules. */
export function acceptsOf({ detectors }: MaskingRules): Accepts {
  const key = DETECTORS.map(({ entity }) => entity === null || detectors[entity]).join()
  const known = kept.get(key)
  if (known !== undefined) return known
  const active = DETECTORS.map((detector): Owner | undefined =>
    detector.entity === null
      ? { detector, entityId: OVERLOAD_ID }
      : detectors[detector.entity] === 'mask'
        ? { detector, entityId: HIT_ENTITIES.indexOf(detector.entity) }
        : undefined,
  )
  const accepts = AUTOMATON.accepts.map((owners) => owners.map((owner) => active[owner]).filter((owner) => owner !== undefined))
  if (kept.size >= MAX_KEPT) kept.clear()
  kept.set(key, accepts)
  return accepts
}

/** From this size on a field is looked over in four places at once: below, the bytes read twice cost what that gains. */
const FOUR_LANES_SIZE = 8 * AUTOMATON.longest

/** Finds what the detectors know in one field. Holds where it stands, so that a field may come in pieces. */
export class Scanner {
  /** Found by the last `next`: bytes [start, end), and the tail that goes on behind `end`, if any. */
  start = 0
  end = 0
  tail: Tail | null = null
  /** What `hitName` names. */
  entityId: number = OVERLOAD_ID
  /** Candidates tried since the scanner was made, and fields given up as `overload`: for counters. */
  candidateCount = 0
  overloadCount = 0

  /** What the field is: words of context may stand in its name. */
  path = ''

  #allowance = 0
  /** Nothing before it is looked at: where the field begins, or the end of the last hit. */
  #floor = 0
  readonly #rules: MaskingRules
  readonly #accepts: Accepts
  readonly #lane = new Lane(AUTOMATON)
  /** Of the detectors that are the rules' own, where there are any. It runs ahead of the other, which stops where it stands. */
  readonly #ownLane: Lane | undefined
  readonly #ownAccepts: Accepts
  /** The field whose first hit `clean` left standing. */
  #foundIn: Uint8Array | undefined
  #foundFrom = 0
  #foundTo = 0
  readonly #probe: Probe = { start: 0, end: 0, tail: null, entity: null, inside: null, seen: 0, back: 0, path: '' }
  readonly #tailRun = new TailRun()
  /** Of what stands written out inside of a field: made when there is some. Each level is at most half of the one it is in. */
  #inside: Scanner | undefined

  constructor(rules: MaskingRules) {
    this.#rules = rules
    this.#accepts = acceptsOf(rules)
    this.#ownLane = rules.own === undefined ? undefined : new Lane(rules.own.automaton)
    this.#ownAccepts = rules.own?.accepts ?? []
  }

  /** Whether source[from, to) holds nothing a detector knows. Where it does, `collect` of the same field, called next, goes on from there. */
  clean(source: Uint8Array, from: number, to: number): boolean {
    if (to - from < MIN_FIELD_SIZE) return true
    if (to - from >= FOUR_LANES_SIZE && this.#lane.quiet(source, from, to) && this.#ownLane?.quiet(source, from, to) !== false)
      return true
    this.begin(from)
    this.feed(to - from)
    if (!this.next(source, from, to, to)) return true
    this.#foundIn = source
    this.#foundFrom = from
    this.#foundTo = to
    return false
  }

  /** Starts a field at `position`. */
  begin(position: number): void {
    this.#lane.begin(position)
    this.#ownLane?.begin(position)
    this.#floor = position
    this.#allowance = WORK_ALLOWANCE
    this.#foundIn = undefined
  }

  /** Tells that `size` more bytes of the field have come. */
  feed(size: number): void {
    this.#allowance += size * WORK_PER_BYTE
  }

  /** The next byte to scan; `shift` keeps it right when the bytes are moved. */
  get position(): number {
    return this.#lane.position
  }

  shift(by: number): void {
    this.#lane.shift(by)
    this.#ownLane?.shift(by)
    this.#floor -= by
  }

  /** Goes on behind something masked that ends at `end`. */
  resume(end: number): void {
    this.#lane.resume(end)
    this.#ownLane?.resume(end)
    this.#floor = end
  }

  /**
   * Scans on up to `until`; true with start, end and entity set at the next hit, false when there is none before `until`.
   * Detectors see source[from, to) as far as it is not part of an earlier hit, so hits come in order and never overlap.
   */
  next(source: Uint8Array, from: number, to: number, until: number): boolean {
    const lane = this.#lane
    const own = this.#ownLane
    for (;;) {
      let limit = until
      if (own !== undefined) {
        if (!own.pending) own.advance(source, until)
        if (own.pending) limit = own.position
      }
      lane.advance(source, limit)
      if (lane.pending) {
        lane.pending = false
        if (this.#candidate(source, from, lane.position, to, this.#accepts[lane.accepted])) return true
      } else if (own?.pending === true) {
        own.pending = false
        if (this.#candidate(source, from, own.position, to, this.#ownAccepts[own.accepted])) return true
      } else {
        return false
      }
    }
  }

  /** All hits of one whole field, in order, apart from each other, tails included: [start, end, entity] into `hits`. */
  collect(source: Uint8Array, from: number, to: number, hits: Hits): void {
    hits.clear()
    let found = this.#foundIn === source && this.#foundFrom === from && this.#foundTo === to
    this.#foundIn = undefined
    if (!found) {
      if (to - from < MIN_FIELD_SIZE) return
      this.begin(from)
      this.feed(to - from)
      found = this.next(source, from, to, to)
    }
    for (; found; found = this.next(source, from, to, to)) {
      if (this.entityId === OVERLOAD_ID) {
        hits.clear()
        hits.add(from, to, OVERLOAD_ID)
        return
      }
      if (this.tail !== null) {
        this.end = this.#tailRun.begin(this.tail).run(source, this.end, to)
        this.resume(this.end)
      }
      hits.add(this.start, this.end, this.entityId)
    }
  }

  #candidate(source: Uint8Array, from: number, at: number, to: number, owners: readonly Owner[] | undefined): boolean {
    if (owners === undefined) return false
    const probe = this.#probe
    const low = Math.max(from, this.#floor, at - MAX_LOOK_BACK)
    const high = Math.min(to, at + MAX_LOOK_AHEAD)
    probe.back = Math.max(from, at - MAX_LOOK_BACK)
    probe.path = this.path
    for (const { detector, entityId } of owners) {
      this.candidateCount++
      empty(probe, at)
      const found = detector.verify(source, low, at, high, probe)
      this.#allowance -= found ? WORK_PER_HIT + Math.max(0, at - probe.start) : WORK_PER_CANDIDATE + probe.seen - at
      if (this.#allowance < 0) {
        this.overloadCount++
        this.start = at
        this.end = at
        this.tail = null
        this.entityId = OVERLOAD_ID
        return true
      }
      if (!found) continue
      let id = probe.entity === null ? entityId : HIT_ENTITIES.indexOf(probe.entity)
      if (probe.inside !== null) {
        if (!this.#holds(probe.inside)) continue
        id = this.#inside?.entityId ?? id
      }
      if (probe.entity !== null && this.#rules.detectors[probe.entity] !== 'mask') continue
      this.start = probe.start
      this.end = probe.end
      this.tail = probe.tail
      this.entityId = id
      this.resume(Math.max(probe.end, at))
      return true
    }
    return false
  }

  /** Whether a detector knows something in what is written out in a field; it is work done for the field. */
  #holds(bytes: Uint8Array): boolean {
    this.#inside ??= new Scanner(this.#rules)
    const clean = this.#inside.clean(bytes, 0, bytes.length)
    this.#allowance -= WORK_ALLOWANCE + WORK_PER_BYTE * bytes.length - this.#inside.#allowance
    return !clean
  }
}

function empty(probe: Probe, at: number): void {
  probe.tail = null
  probe.entity = null
  probe.inside = null
  probe.seen = at
}
