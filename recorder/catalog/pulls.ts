import { KeySketch } from './sketch.ts'

/** Objects of one session that are counted apart; what an enumeration touches beyond that is counted as one. */
const MAX_OBJECTS = 1_000
export const OTHER_OBJECTS = '(others)'
const HOUR_US = 3_600_000_000

/** What left of one object in one hour of one session. Everything from the session's start: written again, it is the same. */
export interface Pull {
  readonly object: string
  /** Start of the hour, ISO 8601. */
  readonly hour: string
  statements: number
  rows: number
  bytesOut: number
  masked: number
  /** Of the largest statement. */
  largestRows: number
  /** The first statement, and the last frame that answered one. */
  readonly firstFrame: number
  lastFrame: number
  readonly firstUs: number
}

export interface ObjectKeys {
  readonly object: string
  readonly sketch: KeySketch
  /** Name of the key's column, or `row`: keys of different columns are not of one count. */
  readonly keyed: string
  rows: number
}

/** Adds up one session's answers by what they were taken of. A statement that touches several objects counts for each. */
export class Pulls {
  readonly #startedMs: number
  readonly #secret: string
  readonly #pulls = new Map<string, Pull>()
  readonly #keys = new Map<string, ObjectKeys>()
  readonly #objects = new Set<string>()
  readonly #changed = new Set<Pull | ObjectKeys>()

  constructor(startedAt: string, secret: string) {
    this.#startedMs = Date.parse(startedAt)
    this.#secret = secret
  }

  /** A statement that went on. */
  asked(objects: readonly string[], frame: number, atUs: number): void {
    for (const object of objects) this.#pull(object, frame, atUs).statements += 1
  }

  /** A released piece of its answer; `rows` so far in all of it. */
  answered(
    objects: readonly string[],
    at: { readonly statementFrame: number; readonly statementUs: number; readonly frame: number },
    more: { readonly rows: number; readonly bytes: number; readonly masked: number; readonly rowsSoFar: number },
  ): void {
    for (const object of objects) {
      const pull = this.#pull(object, at.statementFrame, at.statementUs)
      pull.rows += more.rows
      pull.bytesOut += more.bytes
      pull.masked += more.masked
      pull.largestRows = Math.max(pull.largestRows, more.rowsSoFar)
      pull.lastFrame = Math.max(pull.lastFrame, at.frame)
    }
  }

  keys(objects: readonly string[], keyed: string, keys: readonly string[]): void {
    for (const object of objects) {
      const name = this.#named(object)
      const id = `${keyed} ${name}`
      let known = this.#keys.get(id)
      if (known === undefined) {
        known = { object: name, sketch: new KeySketch(), keyed, rows: 0 }
        this.#keys.set(id, known)
      }
      known.rows += keys.length
      for (const key of keys) known.sketch.add(this.#secret, key)
      this.#changed.add(known)
    }
  }

  /** What is new or changed since the last call. */
  take(): { readonly pulls: readonly Pull[]; readonly keys: readonly ObjectKeys[] } {
    const changed = [...this.#changed]
    this.#changed.clear()
    return {
      pulls: changed.filter((each) => 'hour' in each),
      keys: changed.filter((each) => 'sketch' in each),
    }
  }

  #named(object: string): string {
    if (this.#objects.has(object)) return object
    if (this.#objects.size >= MAX_OBJECTS) return OTHER_OBJECTS
    this.#objects.add(object)
    return object
  }

  #pull(object: string, frame: number, atUs: number): Pull {
    const name = this.#named(object)
    const hourMs = Math.floor((this.#startedMs * 1000 + atUs) / HOUR_US) * (HOUR_US / 1000)
    const id = `${hourMs} ${name}`
    let pull = this.#pulls.get(id)
    if (pull === undefined) {
      pull = {
        object: name,
        hour: new Date(hourMs).toISOString(),
        statements: 0,
        rows: 0,
        bytesOut: 0,
        masked: 0,
        largestRows: 0,
        firstFrame: frame,
        lastFrame: frame,
        firstUs: atUs,
      }
      this.#pulls.set(id, pull)
    }
    this.#changed.add(pull)
    return pull
  }
}
