import { before, type Detector, type Draft, number } from './detector.ts'
import { Places, type StatementRow, statements } from './statements.ts'

const MINUTE_MS = 60_000

interface Found {
  readonly denied: Denial
  readonly after: StatementRow
  readonly object: string
}

interface Denial {
  readonly at: number
  readonly session: string
  readonly frame: number
}

/** M2: what was refused is let through in another form. */
export const denyVariant: Detector = async (queries, window, { params }) => {
  const { minutes = 0, rows: least = 0 } = params
  const wider = { ...window, from: before(window.from, minutes * MINUTE_MS) }
  const refused = `cardinality(r.objects) > 0 and r.outcome in ('refused', 'cut')`
  const denials = await denialsOf(statements(queries, wider, refused))
  if (denials.size === 0) return []
  const found = new Map<string, Found>()
  for await (const after of statements(queries, wider, `cardinality(r.objects) > 0 and r.outcome = 'complete' and r.rows >= $3`, [
    least,
  ]))
    for (const object of after.objects) {
      const id = JSON.stringify([after.family, after.target, object])
      const own = denials.get(id)
      // The first one counts.
      if (own === undefined || (found.get(id)?.after.at ?? after.at) < after.at) continue
      const denied = own[firstSince(own, after.at.getTime() - minutes * MINUTE_MS)]
      if (denied === undefined || !isBefore(denied, after)) continue
      const known = found.get(id)
      if (known === undefined || isBefore({ ...after, at: after.at.getTime() }, known.after))
        found.set(id, { denied, after, object })
    }
  return draftsOf([...found.values()], wider, { queries, least })
}

/** By actor, target and object, in the order of time; of those that one session met in one second the first and the last. */
async function denialsOf(rows: AsyncIterable<StatementRow>): Promise<ReadonlyMap<string, readonly Denial[]>> {
  const denials = new Map<string, Denial[]>()
  for await (const { family, target, objects, session, frame, at } of rows)
    for (const object of objects) {
      const id = JSON.stringify([family, target, object])
      const own = denials.get(id) ?? []
      denials.set(id, own)
      const ms = at.getTime()
      const same = (one: Denial | undefined): boolean =>
        one?.session === session && Math.floor(one.at / 1000) === Math.floor(ms / 1000)
      if (same(own.at(-1)) && same(own.at(-2))) own.pop()
      own.push({ at: ms, session, frame })
    }
  for (const own of denials.values()) own.sort((a, b) => a.at - b.at)
  return denials
}

/** Place of the first at or after the moment. */
function firstSince(denials: readonly Denial[], ms: number): number {
  let [low, high] = [0, denials.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((denials[middle]?.at ?? 0) < ms) low = middle + 1
    else high = middle
  }
  return low
}

function isBefore(one: Denial, { at, session, frame }: Pick<StatementRow, 'at' | 'session' | 'frame'>): boolean {
  const ms = at.getTime()
  return one.at < ms || (one.at === ms && (one.session < session || (one.session === session && one.frame < frame)))
}

/** One for each pair, however many objects both have. */
async function draftsOf(
  found: readonly Found[],
  window: Parameters<typeof statements>[1],
  { queries, least }: { readonly queries: Parameters<Detector>[0]; readonly least: number },
): Promise<readonly Draft[]> {
  const pairs = new Map<string, Found>()
  for (const one of found) {
    const id = JSON.stringify([one.denied.session, one.denied.frame, one.after.session, one.after.frame])
    if (!pairs.has(id)) pairs.set(id, one)
  }
  const frames = new Set([...pairs.values()].map(({ denied }) => `${denied.session} ${denied.frame}`))
  const refused = new Map<string, StatementRow>()
  if (frames.size > 0)
    for await (const row of statements(queries, window, `r.session || ' ' || r.frame = any($3)`, [[...frames]]))
      refused.set(`${row.session} ${row.frame}`, row)
  return [...pairs.values()].flatMap(({ denied, after, object }): readonly Draft[] => {
    const row = refused.get(`${denied.session} ${denied.frame}`)
    if (row === undefined) return []
    const places = new Places()
    places.add(row)
    places.add(after)
    const seconds = Math.round((after.at.getTime() - row.at.getTime()) / 1000)
    return [
      places.draft({
        value: after.rows,
        threshold: least,
        unit: 'rows',
        summary: `a statement on ${object} was ${row.outcome}; another, ${seconds} s later, brought ${number(after.rows)} rows`,
        object,
      }),
    ]
  })
}
