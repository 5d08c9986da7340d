import { ApplianceError } from '../../schemas/errors.ts'

/** Where a page ended, for whoever asks for the next: opaque to them, so that it may change. */
export function cursorOf(place: string): string {
  return Buffer.from(place).toString('base64url')
}

/** Throws API_INVALID for what is not one of ours. */
export function placeOf(cursor: string, pattern: RegExp): RegExpExecArray {
  const found = pattern.exec(Buffer.from(cursor, 'base64url').toString('utf8'))
  if (found === null) throw new ApplianceError('API_INVALID', 'the cursor is not one of this list; begin at the first page')
  return found
}
