import { tapeKeys } from '../../schemas/tape.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'

const TAPE_PART = /^(?:\d{4}\.(?:tape|idx)|recovered-0000\.tape|salt)$/

/** Whether what has this name in a session's folder is of its tape. */
export function isTapePart(name: string): boolean {
  return TAPE_PART.test(name)
}

/** Keys of a tape's objects. What else others put there, in folders within the session's too, is foreign and is left where it is. */
export async function* tapeParts(
  store: Pick<ObjectSource, 'list'>,
  id: string,
  signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const prefix = tapeKeys.prefix(id)
  for await (const key of store.list(prefix, signal)) if (isTapePart(key.slice(prefix.length))) yield key
}
