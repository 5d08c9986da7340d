import type { Field, Promised } from '../message.ts'
import { isAwsSecret, isSecretName, isSecretValue, SECRET_WORDS, type ValueContext } from './assignment-rules.ts'
import { byteAt, latin1 } from './bytes.ts'
import { MAX_JUDGED_SIZE } from './candidate.ts'
import type { EntityName, MaskingRules } from './rules.ts'
import { traitsOf } from './value-traits.ts'

/** As much of a key as is looked at, from its end: a word for secrets with what a text may have to each side of it. */
const MAX_KEY_SIZE = 128
/** Keys remembered, by their bytes; two that share a place take turns in it. Of longer ones nothing is. */
const PLACES = 1024
const MAX_KNOWN_SIZE = 64

const ANY_WORD = new RegExp(SECRET_WORDS.map(([, word]) => word).join('|'), 'i')
const NAME_CHARACTER = /[A-Za-z0-9_.-]/
/** What stands around a name and is none of it: `user[password]`. */
const AROUND = new Set(['"', "'", ']', ' '])

const places: ({ readonly key: Uint8Array; readonly promised: Promised | undefined } | undefined)[] = []
const promises = new Map<string, Promised>()
/** Of a field whose values are judged without their keys. */
export const NO_PROMISE: Promised = { entities: [], name: '', written: 'quoted' }
/** Few objects for many keys: who sifts asks of each value by what object its field is. */
const fields = new WeakMap<Field, Map<Promised, Field>>()

/**
 * The field of the value whose key is source[from, to): where the key promises a secret as the name in `"name": "value"` does, the value is judged by it, too.
 * `pair`: in a form, query, part or header, whose values have no quotes around them, so that what quotes tell is not known.
 */
export function promising(
  field: Field,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  pair = false,
): Field {
  if (field.action !== 'scan' || field.promised !== undefined) return field
  const key = promisedAt(source, from, to)
  if (key === undefined) return field
  const promised = pair ? interned({ ...key, written: 'pair' }) : key
  const known = fields.get(field) ?? new Map<Promised, Field>()
  const made = known.get(promised) ?? { ...field, promised }
  known.set(promised, made)
  fields.set(field, known)
  return made
}

/** The same for a number or word of JSON: what stands without quotes there says more about itself. */
export function unquoted(field: Field): Field {
  const { promised } = field
  return promised === undefined ? field : { ...field, promised: { ...promised, written: 'bare' } }
}

/** As which entity a value is masked that keeps what its key promises; undefined where it does not. */
export function keptPromise(
  { entities, name, written }: Promised,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  { detectors }: MaskingRules,
): EntityName | undefined {
  const end = Math.min(to, from + MAX_JUDGED_SIZE)
  const quoted: ValueContext = {
    name,
    wordEnd: 0,
    value: latin1(source, from, end),
    traits: traitsOf(source, from, end),
    size: end - from,
    byteAt: (index) => byteAt(source, from + index),
    isQuoted: written !== 'bare',
    isTight: false,
    isArgument: false,
    isLine: false,
    isInCode: false,
  }
  for (const entity of entities) {
    if (detectors[entity] !== 'mask') continue
    // Of programs, what is a number counts something: tokens spent, seconds a token lasts. Of people, it may be a password.
    if (written === 'bare' && entity === 'secret') continue
    const isSecret =
      isSecretValue(quoted, entity) ||
      (written === 'pair' && isSecretValue({ ...quoted, isQuoted: false, isTight: true }, entity))
    if (!isSecret) continue
    const found = isAwsSecret(name, quoted.value) ? 'aws-secret-access-key' : entity
    if (detectors[found] === 'mask') return found
  }
  return undefined
}

function promisedAt(source: Uint8Array, from: number, to: number): Promised | undefined {
  if (to - from > MAX_KNOWN_SIZE) return promisedBy(latin1(source, Math.max(from, to - MAX_KEY_SIZE), to))
  let hash = to - from
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + byteAt(source, i)) | 0
  const place = (hash ^ (hash >>> 12)) & (PLACES - 1)
  const known = places[place]
  if (known !== undefined && isSame(known.key, source, from, to)) return known.promised
  const promised = promisedBy(latin1(source, from, to))
  places[place] = { key: new Uint8Array(source.subarray(from, to)), promised }
  return promised
}

function promisedBy(key: string): Promised | undefined {
  if (!ANY_WORD.test(key)) return undefined
  const name = lastNameIn(key)
  const lower = name.toLowerCase()
  const ends: [end: number, entity: Promised['entities'][number]][] = []
  for (const [entity, word] of SECRET_WORDS) {
    for (let at = lower.indexOf(word); at !== -1; at = lower.indexOf(word, at + 1)) {
      const wordEnd = at + word.length
      if (word === 'key' && wordEnd < name.length) continue
      if (isSecretName({ name, wordEnd }, word)) ends.push([wordEnd, entity])
    }
  }
  if (ends.length === 0) return undefined
  const entities = [...new Set(ends.sort(([a], [b]) => a - b).map(([, entity]) => entity))]
  // All of the name that values are judged by.
  const judged = `${isAwsSecret(name, AWS_SIZED) ? 'aws_' : ''}${/secret$/i.test(name) ? 'secret' : ''}`
  return interned({ entities, name: judged, written: 'quoted' })
}

const AWS_SIZED = 'A'.repeat(40)

/** In a text nothing but a quote, a bracket and blanks may stand between a name and its separator. */
function lastNameIn(key: string): string {
  let end = key.length
  while (end > 0 && AROUND.has(key[end - 1] ?? '')) end--
  let start = end
  while (start > 0 && NAME_CHARACTER.test(key[start - 1] ?? '')) start--
  return key.slice(start, end)
}

function interned(promised: Promised): Promised {
  const id = `${promised.entities.join()} ${promised.name} ${promised.written}`
  const known = promises.get(id)
  if (known === undefined) promises.set(id, promised)
  return known ?? promised
}

function isSame(key: Uint8Array, source: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false
  for (let i = 0; i < key.length; i++) if (key[i] !== source[from + i]) return false
  return true
}
