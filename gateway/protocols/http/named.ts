import type { Field } from '../../message.ts'

/** Longer names are nobody's words. */
export const MAX_NAME_SIZE = 64

/** The field as one that goes by this name: what a pattern that asks for words around its values takes for one, as the name of a column is. */
export function named(field: Field, name: string): Field {
  return field.action !== 'scan' || name === '' || name.length > MAX_NAME_SIZE
    ? field
    : { ...field, path: `${field.path}.${name}` }
}
