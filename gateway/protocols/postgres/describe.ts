import type { Describer, Told } from '../../../recorder/catalog/describe.ts'
import { asks } from '../../../schemas/asked.ts'
import { type Facts, type Frame, isReleased } from '../../../schemas/frame.ts'
import { PART_FACT, ROWS_FACT } from '../../../schemas/tape.ts'
import { ResultRows } from './describe-rows.ts'
import { cstring, cstringEnd, FRONTEND, HEADER_SIZE, int32, nameAt } from './messages.ts'

/** Names kept of one session; a client that prepares more than this without closing gets `execute <name>` for the oldest. */
const MAX_NAMES = 10_000
/** Of a statement's text: more than the catalog keeps (16,384 UTF-16 units, each at most 3 bytes of UTF-8), so that it sees where it cuts. */
const MAX_TEXT_SIZE = 50_000

/**
 * Tells the catalog which statements a session ran and what answered them. Answers carry the ordinal of their statement
 * (fact `statement`), which is counted here as the wire counts it: every Query, FunctionCall and Execute that went on, and
 * every refused Query, in whose place something else went.
 */
export class PostgresDescriber implements Describer {
  readonly #statements = new Names()
  readonly #portals = new Names()
  readonly #rows = new ResultRows()
  #ordinal = 0

  read(frame: Frame): readonly Told[] {
    if (frame.facts['origin'] === 'gateway') return []
    switch (frame.dir) {
      case 'in':
        return this.#request(frame)
      case 'out':
        return this.#answers(frame)
      case 'note':
        return []
      default:
        return frame.dir satisfies never
    }
  }

  #request(frame: Frame): readonly Told[] {
    const { body, kind, verdict, facts } = frame
    const part = facts[PART_FACT]
    // A statement longer than a frame: the first has as much of its text as the catalog keeps.
    if (body === null || (part !== undefined && part !== 'first')) return []
    switch (kind) {
      case 'query':
        return [{ told: 'statement', kind, text: firstText(body), answer: this.#next(verdict?.act !== 'hold'), ...saidOf(facts) }]
      case 'function-call':
        return [
          {
            told: 'statement',
            kind,
            text: `function with oid ${int32(body, HEADER_SIZE)}`,
            answer: this.#next(verdict?.act !== 'hold'),
          },
        ]
      case 'execute': {
        const text = this.#names(body)
        return [{ told: 'statement', kind, text, answer: this.#next(isReleased(frame)), ...saidOf(facts) }]
      }
      case 'parse': {
        const text = this.#names(body)
        // Preparing is told where it was all that came of it.
        return asks('postgres', frame) ? [{ told: 'statement', kind, text, answer: null, ...saidOf(facts) }] : []
      }
      default:
        return []
    }
  }

  #answers(frame: Frame): readonly Told[] {
    const { facts } = frame
    const answer = facts['statement']
    // Every released byte is read, or a message that goes on in the next frame would not be understood.
    const shown = isReleased(frame) ? this.#rows.read(frame) : undefined
    if (typeof answer !== 'number') return []
    const rows = facts[ROWS_FACT]
    const end =
      facts['sqlstate'] !== undefined ? 'error' : facts['tag'] !== undefined || facts['status'] !== undefined ? 'complete' : null
    const told: Told = { told: 'answer', answer, rows: typeof rows === 'number' ? rows : 0, end }
    if (shown === undefined) return [told]
    const { keys, keyed, text } = shown
    return [
      { ...told, keys, keyed },
      { told: 'text', place: 'result', text, firstRow: 0 },
    ]
  }

  #next(counts: boolean): number | null {
    if (!counts) return null
    this.#ordinal += 1
    return this.#ordinal
  }

  /** Notes Parse, Bind and Close of a stretch of the extended protocol; the text of what it executes (or prepares). */
  #names(body: Uint8Array): string {
    let text: string | undefined
    let parsed: string | undefined
    for (let at = 0; at + HEADER_SIZE <= body.length; ) {
      const size = 1 + int32(body, at + 1)
      if (size < HEADER_SIZE) break
      const end = Math.min(at + size, body.length)
      const first = nameAt(body, at + HEADER_SIZE, end)
      const secondAt = cstringEnd(body, at + HEADER_SIZE, end) + 1
      switch (body[at]) {
        case FRONTEND.parse:
          parsed = textFrom(body, secondAt, end)
          this.#statements.set(first, parsed)
          break
        case FRONTEND.bind: {
          const statement = nameAt(body, secondAt, end)
          const bound = this.#statements.get(statement) ?? (statement === '' ? parsed : undefined)
          if (bound === undefined) this.#portals.delete(first)
          else this.#portals.set(first, bound)
          break
        }
        case FRONTEND.execute:
          text = this.#portals.get(first) ?? `execute ${first}`.trimEnd()
          break
        case FRONTEND.close: {
          const names = body[at + HEADER_SIZE] === 0x53 ? this.#statements : this.#portals
          names.delete(nameAt(body, at + HEADER_SIZE + 1, end))
          break
        }
        default:
          break
      }
      at += size
    }
    return text ?? parsed ?? ''
  }
}

/** Texts by name, the oldest forgotten first. */
class Names {
  readonly #texts = new Map<string, string>()

  get(name: string): string | undefined {
    return this.#texts.get(name)
  }

  set(name: string, text: string): void {
    this.#texts.delete(name)
    this.#texts.set(name, text)
    if (this.#texts.size <= MAX_NAMES) return
    const [oldest] = this.#texts.keys()
    if (oldest !== undefined) this.#texts.delete(oldest)
  }

  delete(name: string): void {
    this.#texts.delete(name)
  }
}

/** What the facts of a statement say to whoever searches. */
function saidOf(facts: Facts): Pick<Extract<Told, { told: 'statement' }>, 'objects' | 'verbs' | 'fingerprint'> {
  const { relations, verbs, fingerprint } = facts
  return {
    objects: Array.isArray(relations) ? [...new Set(relations.map(objectName))] : [],
    verbs: Array.isArray(verbs) ? [...new Set(verbs)] : [],
    ...(typeof fingerprint === 'string' ? { fingerprint } : {}),
  }
}

/** `public.orders` and `orders` are one table to nearly everybody; who has both reads it in the statement. */
function objectName(relation: string): string {
  return relation.replace(/^public\./, '')
}

function firstText(body: Uint8Array): string {
  return textFrom(body, HEADER_SIZE, body.length)
}

/** To its NUL, or as far as the frame goes, at most MAX_TEXT_SIZE. */
function textFrom(bytes: Uint8Array, from: number, to: number): string {
  const most = Math.min(to, from + MAX_TEXT_SIZE)
  return cstringEnd(bytes, from, most) === -1
    ? Buffer.from(bytes.subarray(from, most)).toString('utf8')
    : cstring(bytes, from, most)
}
