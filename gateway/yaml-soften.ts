import type { TSchema } from 'typebox'
import { Check } from 'typebox/value'

/**
 * A value of the schema's types made of one that does not fit: what is there and of the right type stays, even where it breaks a
 * pattern or a bound; what is missing or of another type becomes the plainest value there is. For checks of meaning on files with
 * mistakes: whatever they say of a place that was made up must not be told.
 */
export function soften(schema: unknown, value: unknown): unknown {
  if (!isRecord(schema)) return value
  const branches = schema['anyOf']
  if (Array.isArray(branches)) return soften(branchFor(branches, value), value)
  const words = 'const' in schema ? [schema['const']] : schema['enum']
  if (Array.isArray(words)) return typeof value === typeof words[0] ? value : words[0]
  switch (schema['type']) {
    case 'string':
      return typeof value === 'string' ? value : ''
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : (schema['minimum'] ?? 0)
    case 'boolean':
      return typeof value === 'boolean' ? value : false
    case 'array':
      return Array.isArray(value) ? value.map((item) => soften(schema['items'], item)) : []
    case 'object':
      return softenObject(schema, isRecord(value) ? value : {})
    default:
      return value
  }
}

function softenObject(schema: Readonly<Record<string, unknown>>, value: Readonly<Record<string, unknown>>): unknown {
  const soft: Record<string, unknown> = {}
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  for (const [name, property] of Object.entries(isRecord(schema['properties']) ? schema['properties'] : {})) {
    if (value[name] !== undefined || required.includes(name)) soft[name] = soften(property, value[name])
  }
  for (const property of Object.values(isRecord(schema['patternProperties']) ? schema['patternProperties'] : {})) {
    for (const [name, child] of Object.entries(value)) soft[name] ??= soften(property, child)
  }
  return soft
}

/** The branch of a union a value was most likely meant for: one it fits, else of those of its kind the one it has the most keys of. */
function branchFor(branches: readonly unknown[], value: unknown): unknown {
  const fitting = branches.find((branch) => isRecord(branch) && Check(branch as TSchema, value)) // a branch of a schema is one
  if (fitting !== undefined || typeof value !== 'object' || value === null) return fitting ?? branches[0]
  const kind = Array.isArray(value) ? 'array' : 'object'
  const keysOf = (branch: unknown): number => {
    if (!isRecord(branch) || branch['type'] !== kind) return -1
    const properties = isRecord(branch['properties']) ? branch['properties'] : {}
    return Object.keys(value).filter((key) => Object.hasOwn(properties, key)).length
  }
  return branches.reduce((best, branch) => (keysOf(branch) > keysOf(best) ? branch : best), branches[0])
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
