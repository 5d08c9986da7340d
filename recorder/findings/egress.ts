import type { Contribution } from '../../schemas/findings.ts'
import { before, type Detector, type Draft, KEPT, number } from './detector.ts'
import { eachInTurns, sortedInTurns } from './in-turns.ts'
import { ofStatement, type StatementRow, statements } from './statements.ts'

const MINUTE_MS = 60_000

// PostgreSQL's regular expressions (9.7.3), over statements as they were given.
const SENDS_SHELL = String.raw`\mcurl\M.*(\s-T\M|--upload-file|--data|\s-d\M|\s-F\M)|\m(scp|rsync|sftp)\M.+:|\mrclone\s+(copy|sync|move)\M|\mwget\M.+--post|\m(aws\s+s3|azcopy|gsutil|az\s+storage)\M.+\m(cp|sync|copy|upload)|\mnc\M|\mgit\s+push\M`

/** X3: something is sent away soon after a pull by the same people. Of what was sent after the same pull the one that comes after the most. */
export const egressAfterPull: Detector = async (queries, window, { params, earlier }) => {
  const { minutes = 0, rows: least = 0 } = params
  const sends = statements(
    queries,
    window,
    `r.outcome <> 'refused' and ((s.protocol = 'ssh' and r.text ~* $3) or (s.protocol = 'http' and r.verbs && array['PUT', 'POST', 'PATCH'] and length(r.text) > 500))`,
    [SENDS_SHELL],
  )
  const wider = { ...window, from: before(window.from, minutes * MINUTE_MS) }
  let pulls: ReadonlyMap<string, Taken> | undefined
  const stitched = new Map<string, Taken>()
  const found = new Map<string, { readonly send: StatementRow; readonly taken: Within }>()
  for await (const send of sends) {
    // Most weeks nothing is sent.
    pulls ??= await pullsByFamily(statements(queries, wider, 'r.rows >= $3', [least]))
    const at = send.at.getTime()
    const own = pulls.get(send.family)?.within(at - minutes * MINUTE_MS, at, send.session)
    const small = stitched.get(send.family) ?? (await Taken.of(distinct(earlier, send.family)))
    stitched.set(send.family, small)
    const taken = own ?? small.within(at - minutes * MINUTE_MS, at)
    if (taken === undefined) continue
    const id = JSON.stringify([send.family, send.target, taken.first.session, taken.first.frame])
    if ((found.get(id)?.taken.rows ?? -1) < taken.rows) found.set(id, { send, taken })
  }
  const drafts: Draft[] = []
  await eachInTurns(found.values(), ({ send, taken }) => {
    const contributions = taken.contributions(KEPT - 1)
    drafts.push({
      family: send.family,
      target: send.target,
      object: null,
      value: taken.rows,
      threshold: least,
      unit: 'rows',
      summary: `${number(taken.rows)} rows were taken, and within ${minutes} minutes something was sent`,
      baseline: null,
      coverage: null,
      contributions: [...contributions, ofStatement(send)],
      rest: { count: taken.count - contributions.length, sessions: [], to: send.at.toISOString() },
    })
  })
  return drafts
}

async function pullsByFamily(rows: AsyncIterable<StatementRow>): Promise<ReadonlyMap<string, Taken>> {
  const families = new Map<string, Contribution[]>()
  for await (const row of rows) {
    const own = families.get(row.family)
    if (own === undefined) families.set(row.family, [ofStatement(row)])
    else own.push(ofStatement(row))
  }
  const taken = new Map<string, Taken>()
  for (const [family, own] of families) taken.set(family, await Taken.of(own))
  return taken
}

/** Of what other detectors have stitched together, each piece once. */
function distinct(earlier: Parameters<Detector>[2]['earlier'], family: string): readonly Contribution[] {
  const drafts = [...(earlier.get('stitched-rows') ?? []), ...(earlier.get('stitched-keys') ?? [])]
  const pieces = drafts.flatMap((draft) => (draft.family === family ? draft.contributions : []))
  return [...new Map(pieces.map((each) => [`${each.session} ${each.frame} ${each.text}`, each])).values()]
}

interface Within {
  readonly first: Contribution
  readonly rows: number
  readonly count: number
  contributions(most: number): readonly Contribution[]
}

/** What was taken, by time: what of it is within some minutes is found without walking through them. */
class Taken {
  readonly #all: Run
  readonly #sessions: ReadonlyMap<string, Run>
  /** For each the next one of another session. */
  readonly #others: readonly number[]

  private constructor(all: Run, sessions: ReadonlyMap<string, Run>, others: readonly number[]) {
    this.#all = all
    this.#sessions = sessions
    this.#others = others
  }

  /** Others have their turn while it is made: it may be of all that somebody took in a week. */
  static async of(taken: readonly Contribution[]): Promise<Taken> {
    const timed: Timed[] = []
    await eachInTurns(taken, (piece) => void timed.push({ piece, ms: Date.parse(piece.at) }))
    const pieces = await sortedInTurns(timed, ({ ms }) => ms)
    const sessions = new Map<string, Run>()
    const all = new Run()
    await eachInTurns(pieces, (each) => {
      const { session } = each.piece
      const own = sessions.get(session) ?? new Run()
      sessions.set(session, own)
      own.add(each)
      all.add(each)
    })
    // A stretch of one session ends where the next begins.
    const others: number[] = []
    await eachInTurns(pieces, ({ piece }, index) => {
      if (pieces[index + 1]?.piece.session === piece.session) return
      while (others.length <= index) others.push(index + 1)
    })
    return new Taken(all, sessions, others)
  }

  within(fromMs: number, toMs: number, but?: string): Within | undefined {
    const [from, to] = this.#all.between(fromMs, toMs)
    const { pieces } = this.#all
    const own = but === undefined ? undefined : this.#sessions.get(but)
    const [ownFrom, ownTo] = own?.between(fromMs, toMs) ?? [0, 0]
    const first = pieces[from]?.session === but ? (this.#others[from] ?? to) : from
    const piece = pieces[first]
    if (piece === undefined || first >= to) return undefined
    return {
      first: piece,
      rows: this.#all.rows(from, to) - (own?.rows(ownFrom, ownTo) ?? 0),
      count: to - from - (ownTo - ownFrom),
      contributions: (most) => {
        const some: Contribution[] = []
        for (let index = first; index < to && some.length < most; index += 1) {
          const each = pieces[index]
          if (each !== undefined && each.session !== but) some.push(each)
        }
        return some
      },
    }
  }
}

interface Timed {
  readonly piece: Contribution
  readonly ms: number
}

/** In the order of time, with the sums up to each. */
class Run {
  readonly pieces: Contribution[] = []
  readonly #ms: number[] = []
  readonly #sums = [0]

  /** None is before those it has. */
  add({ piece, ms }: Timed): void {
    this.pieces.push(piece)
    this.#ms.push(ms)
    this.#sums.push((this.#sums.at(-1) ?? 0) + piece.rows)
  }

  between(fromMs: number, toMs: number): readonly [number, number] {
    return [this.#firstAt(fromMs), this.#firstAt(toMs + 1)]
  }

  rows(from: number, to: number): number {
    return (this.#sums[to] ?? 0) - (this.#sums[from] ?? 0)
  }

  #firstAt(ms: number): number {
    let [low, high] = [0, this.#ms.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ms[middle] ?? 0) < ms) low = middle + 1
      else high = middle
    }
    return low
  }
}
