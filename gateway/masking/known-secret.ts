import { MIN_FIELD_SIZE } from './detector.ts'
import type { OwnPattern } from './own.ts'
import { compilePattern } from './pattern/pattern.ts'

/** How a credential of the gateway's own is called where a target repeats it. */
export const KNOWN_ENTITY = 'own-credential'
/** A value is no longer than that; what is longer goes on as long as a token may. */
const MAX_FIXED_SIZE = 256
const TOKEN_REST = '[0-9A-Za-z._~+/=-]*'

/** Finds one value wherever it stands; undefined where it is too short to be told from other text. */
export function knownSecret(value: string): OwnPattern | undefined {
  if (Buffer.byteLength(value) < MIN_FIELD_SIZE) return undefined
  const fixed = value.slice(0, MAX_FIXED_SIZE)
  const regex = `${[...fixed].map(escaped).join('')}${fixed.length < value.length ? TOKEN_REST : ''}`
  try {
    return { id: KNOWN_ENTITY, entity: KNOWN_ENTITY, compiled: compilePattern({ regex }) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Take about as much room as a target's password and its Basic form, whatever these are. They are nobody's. */
export const STAND_INS: readonly OwnPattern[] = ['kW7xQ2mZ', 'Hq4ZtR9v', '8bN3yXcJ'].flatMap((value) => knownSecret(value) ?? [])

function escaped(character: string): string {
  return /[0-9A-Za-z]/.test(character) || character > '\u007f'
    ? character
    : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
