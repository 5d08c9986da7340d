import type { Field } from '../../message.ts'

/** Longer names are nobody's words. */
export const MAX_NAME_SIZE = 64

/**
 * The field as one that goes by this name: what a pattern that asks for words around its values takes for one, as the name of a column is.
 * `bulk`: as Field has it.
 */
export function named(field: Field, name: string, bulk = false): Field {
  if (field.action !== 'scan') return field
  const path = name === '' || name.length > MAX_NAME_SIZE ? field.path : `${field.path}.${name}`
  return path === field.path && !bulk ? field : { ...field, path, bulk }
}
