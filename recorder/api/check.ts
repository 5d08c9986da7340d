import type { Request } from 'express'
import type { Static, TObject, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { ApplianceError } from '../../schemas/errors.ts'
import { momentOf } from '../../schemas/filter.ts'

const validators = new WeakMap<TSchema, Validator>()

/** The body as its schema says. Throws API_INVALID naming the member. */
export function bodyOf<T extends TSchema>(request: Request, schema: T): Static<T> {
  if (request.is('application/json') === false) throw invalid('the body must be JSON, with content-type application/json')
  return checked(request.body as unknown, schema, 'body')
}

/** The query as its schema says, numbers as numbers. Throws API_INVALID for what is unknown, repeated or malformed. */
export function queryOf<T extends TObject>(request: Request, schema: T): Static<T> {
  const given = new Map<string, unknown>()
  for (const [name, value] of new URL(request.originalUrl, 'http://server').searchParams) {
    if (given.has(name)) throw invalid(`the parameter ${JSON.stringify(name.slice(0, 40))} is given twice`)
    given.set(name, is(schema, name, 'type', 'integer') && /^\d{1,15}$/.test(value) ? Number(value) : value)
  }
  // An own property each, `__proto__` too: what is unknown must be seen to be refused.
  const query = checked(Object.fromEntries(given), schema, 'query')
  const times = Object.entries(query).map(([name, value]) => [
    name,
    typeof value === 'string' && is(schema, name, 'format', 'date-time') ? moment(name, value) : value,
  ])
  // The same names, and strings for strings.
  return Object.fromEntries(times) as Static<T>
}

/** In UTC, as every part of it understands it. */
function moment(name: string, value: string): string {
  const time = momentOf(value)
  if (time === undefined) throw invalid(`${name} is a time of the years 1 to 9999, not ${JSON.stringify(value.slice(0, 40))}`)
  return time
}

function checked<T extends TSchema>(value: unknown, schema: T, where: string): Static<T> {
  let validator = validators.get(schema)
  if (validator === undefined) {
    validator = Compile(schema)
    validators.set(schema, validator)
  }
  if (validator.Check(value)) return value as Static<T>
  const [first] = validator.Errors(value)
  const at = first?.instancePath.slice(0, 100) ?? ''
  throw invalid(`the ${where} is not as the API document says${at === '' ? '' : `, at ${at}`}: ${first?.message ?? 'malformed'}`)
}

function is(schema: TObject, name: string, keyword: 'type' | 'format', wanted: string): boolean {
  const member: unknown = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
  return typeof member === 'object' && member !== null && Reflect.get(member, keyword) === wanted
}

function invalid(message: string): ApplianceError {
  return new ApplianceError('API_INVALID', message)
}
