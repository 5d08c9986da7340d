/** One decoded field, and the bytes [from, to) of the body it stands in. Text is untrusted. */
export interface Field {
  readonly depth: 0 | 1 | 2
  readonly name: string
  readonly value: string
  readonly from: number
  readonly to: number
}

/** Fields decoded of one body; the hex beside them shows all of it. */
export const MAX_FIELDS = 50_000

export function field(depth: Field['depth'], name: string, value: string, from: number, to: number): Field {
  return { depth, name, value, from, to }
}
