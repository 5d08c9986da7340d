import { ApplianceError } from './errors.ts'
import type { Unpacked } from './msgpack.ts'
import { MAX_VERSION, TAPE_VERSION } from './tape.ts'

// What the decoders of a tape ask of a member; each throws TAPE_MALFORMED naming it.

export function array(value: Unpacked | undefined, what: string): readonly Unpacked[] {
  return Array.isArray(value) ? value : fail(what)
}

/** Of just so many items: a signature covers no others, or nobody knows what they mean. */
export function tuple(value: Unpacked | undefined, size: number, what: string): readonly Unpacked[] {
  const items = array(value, what)
  return items.length === size ? items : fail(`${what} of ${size}`)
}

/** A map of just these members: for what no signature covers. */
export function exact(value: Unpacked | undefined, names: readonly string[], what: string): { readonly [key: string]: Unpacked } {
  const map = object(value, what)
  for (const name in map) if (!names.includes(name)) throw malformed(`${what} has a member that has no place in it`)
  return map
}

export function object(value: Unpacked | undefined, what: string): { readonly [key: string]: Unpacked } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return fail(what)
  // What is left of Unpacked is the map; Array.isArray does not narrow readonly arrays.
  return value as { readonly [key: string]: Unpacked }
}

export function text(value: Unpacked | undefined, what: string): string {
  return typeof value === 'string' ? value : fail(what)
}

export function count(value: Unpacked | undefined, what: string): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fail(what)
}

export function binary(value: Unpacked | undefined, what: string): Uint8Array {
  return value instanceof Uint8Array ? value : fail(what)
}

export function sized(value: Unpacked | undefined, size: number, what: string): Uint8Array {
  const bytes = binary(value, what)
  return bytes.length === size ? bytes : fail(what)
}

export function fail(what: string): never {
  throw malformed(`${what} is missing or of the wrong type`)
}

export function malformed(message: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', message)
}

export function version(map: { readonly [key: string]: Unpacked }): void {
  const newer = isNewer(map['v']) ? '; a newer program can read it' : ''
  if (map['v'] !== TAPE_VERSION) throw malformed(`tape version ${String(map['v'])} is not ${TAPE_VERSION}${newer}`)
}

export function isNewer(value: Unpacked | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > TAPE_VERSION && value <= MAX_VERSION
}
