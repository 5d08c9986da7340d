import { setImmediate } from 'node:timers/promises'

/** Done in one go: some milliseconds. */
const TURN = 2_000

/** Goes through them; others have their turn in between. */
export async function eachInTurns<T>(all: Iterable<T>, work: (one: T, index: number) => void): Promise<void> {
  let index = 0
  for (const one of all) {
    work(one, index)
    index += 1
    if (index % TURN === 0) await setImmediate()
  }
}

/** By a number, least first; those of one number in the order they were in. Others have their turn in between. */
export async function sortedInTurns<T>(all: readonly T[], by: (one: T) => number): Promise<readonly T[]> {
  let runs: (readonly T[])[] = []
  for (let from = 0; from < all.length; from += TURN) {
    runs.push(all.slice(from, from + TURN).sort((a, b) => by(a) - by(b)))
    await setImmediate()
  }
  while (runs.length > 1) {
    const longer: (readonly T[])[] = []
    for (let at = 0; at < runs.length; at += 2) longer.push(await merged(runs[at] ?? [], runs[at + 1] ?? [], by))
    runs = longer
  }
  return runs[0] ?? []
}

async function merged<T>(first: readonly T[], second: readonly T[], by: (one: T) => number): Promise<readonly T[]> {
  const all: T[] = []
  let at = 0
  await eachInTurns(first, (one) => {
    for (let other = second[at]; other !== undefined && by(other) < by(one); other = second[at]) {
      all.push(other)
      at += 1
    }
    all.push(one)
  })
  await eachInTurns(second.slice(at), (one) => void all.push(one))
  return all
}
