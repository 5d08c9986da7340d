import { nameOf } from './messages.ts'

/** As drivers write it; any other spelling gives up nothing that is known here. */
const DEALLOCATE = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_$]*))\s*;?\s*$/i
const DISCARD = /^\s*discard\s+all\s*;?\s*$/i

/** The prepared statement that a text gives up, and nothing else; without `name`: every one. Undefined where it does more, or that cannot be told. */
export function deallocated(sql: string): { readonly name?: string } | undefined {
  if (DISCARD.test(sql)) return {}
  const [, quoted, plain] = DEALLOCATE.exec(sql) ?? []
  if (quoted !== undefined) return { name: nameOf(quoted.replaceAll('""', '"')) }
  if (plain === undefined) return undefined
  return plain.toLowerCase() === 'all' ? {} : { name: nameOf(plain.toLowerCase()) }
}
