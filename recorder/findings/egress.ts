import type { Contribution } from '../../schemas/findings.ts'
import { before, type Detector, type Draft, KEPT, number } from './detector.ts'
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
    const small = stitched.get(send.family) ?? new Taken(distinct(earlier, send.family))
    stitched.set(send.family, small)
    const taken = own ?? small.within(at - minutes * MINUTE_MS, at)
    if (taken === undefined) continue
    const id = JSON.stringify([send.family, send.target, taken.first.session, taken.first.frame])
    if ((found.get(id)?.taken.rows ?? -1) < taken.rows) found.set(id, { send, taken })
  }
  return [...found.values()].map(({ send, taken }): Draft => {
    const contributions = taken.contributions(KEPT - 1)
    return {
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
    }
  })
}

async function pullsByFamily(rows: AsyncIterable<StatementRow>): Promise<ReadonlyMap<string, Taken>> {
  const families = new Map<string, Contribution[]>()
  for await (const row of rows) {
    const own = families.get(row.family)
    if (own === undefined) families.set(row.family, [ofStatement(row)])
    else own.push(ofStatement(row))
  }
  return new Map([...families].map(([family, own]) => [family, new Taken(own)]))
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
  readonly #sessions = new Map<string, Run>()
  /** For each the next one of another session. */
  readonly #others: readonly number[]

  constructor(taken: readonly Contribution[]) {
    this.#all = new Run([...taken].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)))
    const { pieces } = this.#all
    const sessions = new Map<string, Contribution[]>()
    const others: number[] = new Array(pieces.length)
    for (let index = pieces.length - 1; index >= 0; index -= 1)
      others[index] = pieces[index + 1]?.session === pieces[index]?.session ? (others[index + 1] ?? pieces.length) : index + 1
    this.#others = others
    for (const piece of pieces) {
      const own = sessions.get(piece.session)
      if (own === undefined) sessions.set(piece.session, [piece])
      else own.push(piece)
    }
    for (const [session, own] of sessions) this.#sessions.set(session, new Run(own))
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

/** In the order of time, with the sums up to each. */
class Run {
  readonly pieces: readonly Contribution[]
  readonly #ms: readonly number[]
  readonly #sums: readonly number[]

  constructor(pieces: readonly Contribution[]) {
    this.pieces = pieces
    this.#ms = pieces.map(({ at }) => Date.parse(at))
    let sum = 0
    this.#sums = [0, ...pieces.map(({ rows }) => (sum += rows))]
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
