import { LAST_APPLIED } from './secret-fields.ts'

/** What gives values of its own, or none. */
const PLAIN = new Set(['add', 'remove', 'replace'])

/**
 * Why a JSON Patch (RFC 6902) of a Secret is refused; undefined where it is not. `copy` and `move` would put a value where nobody knows
 * that it is one, and `test` tells whether a guess is right.
 */
export function secretPatchProblem(body: Uint8Array | undefined): string | undefined {
  const operations = operationsIn(body)
  if (operations === undefined) return 'a JSON Patch of a Secret that cannot be read'
  const wrong = operations.find((operation) => !isPlain(operation))
  if (wrong === undefined) return undefined
  return 'a JSON Patch of a Secret may add, replace and remove, and test its metadata: copies and moves would take its values elsewhere'
}

function operationsIn(body: Uint8Array | undefined): readonly unknown[] | undefined {
  if (body === undefined) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString())
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isPlain(operation: unknown): boolean {
  if (typeof operation !== 'object' || operation === null || !('op' in operation) || typeof operation.op !== 'string')
    return false
  if (operation.op === 'test') return 'path' in operation && typeof operation.path === 'string' && isAround(operation.path)
  return PLAIN.has(operation.op)
}

/** Whether this is of the metadata, and quotes no value. */
function isAround(path: string): boolean {
  const [root, top, field, name] = path.split('/')
  if (root !== '' || top !== 'metadata' || field === undefined) return false
  return field !== 'annotations' || (name !== undefined && name.replaceAll('~1', '/').replaceAll('~0', '~') !== LAST_APPLIED)
}
