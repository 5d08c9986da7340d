import type { Validator } from 'typebox/compile'

/** Why nobody could read this record again, in words (`reason must not have more than 2000 characters`); undefined where everybody can. */
export function unreadable(checker: Validator, record: unknown): string | undefined {
  if (checker.Check(record)) return undefined
  const [first] = checker.Errors(record)
  return `${first?.instancePath.split('/').at(-1) ?? 'it'} ${first?.message ?? 'is malformed'}`
}
