import type { Facts } from '../../../schemas/frame.ts'

const IN_TRANSACTION: Facts = { in_transaction: true }
export const MASKED_WRITE: Facts = { masked_write: true }
const WRITES_FROM_MASKED: Facts = { writes_from_masked: true }

/** Texts' facts with the labels they touch, by these. */
const withLabels = new WeakMap<Facts, Map<string, Facts>>()

/** The same object for the same labels, so that judges can keep what follows from it. */
export function labelled(facts: Facts, labels: readonly string[]): Facts {
  if (labels.length === 0) return facts
  let known = withLabels.get(facts)
  if (known === undefined) {
    known = new Map()
    withLabels.set(facts, known)
  }
  const key = labels.join()
  const found = known.get(key) ?? { ...facts, labels }
  known.set(key, found)
  return found
}

/** Texts' facts with what the moment adds to them, by which of the three it is. Made once, so that judges can keep what follows from them. */
const variants = new WeakMap<Facts, (Facts | undefined)[]>()

export function variant(facts: Facts, inTransaction: boolean, maskedWrite: boolean, fromMasked: boolean): Facts {
  if (!inTransaction && !maskedWrite && !fromMasked) return facts
  let known = variants.get(facts)
  if (known === undefined) {
    known = []
    variants.set(facts, known)
  }
  const index = (inTransaction ? 1 : 0) + (maskedWrite ? 2 : 0) + (fromMasked ? 4 : 0)
  known[index] ??= {
    ...facts,
    ...(inTransaction ? IN_TRANSACTION : {}),
    ...(maskedWrite ? MASKED_WRITE : {}),
    ...(fromMasked ? WRITES_FROM_MASKED : {}),
  }
  return known[index]
}
