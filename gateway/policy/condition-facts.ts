import type { Facts } from '../../schemas/frame.ts'
import type { Identity, Target } from '../../schemas/session.ts'
import { factsOf } from './fact-table.ts'

/** Raised when a fact changes its meaning or goes; new ones may come without. docs/policy.md lists the facts of each. */
const FACTS_VERSION = 1n
/** What conditions read where a statement has no limit: more than any number, as for `match`. */
const NO_LIMIT = 9_223_372_036_854_775_807n

const [LISTS, FLAGS, TEXTS] = [factsOf('list'), factsOf('flag'), factsOf('text')]
/** `limit` is read apart: none is more than any. */
const NUMBERS = factsOf('number').filter((name) => name !== 'limit')

const typed = <T extends string>(names: readonly string[], type: T): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, type]))

/** The fields of `facts` in a condition, and their CEL types. None is ever missing: lists are empty, flags false, numbers 0, texts ''. */
export const FACT_TYPES: Readonly<Record<string, string>> = {
  version: 'int',
  kind: 'string',
  ...typed(LISTS, 'list<string>'),
  ...typed(FLAGS, 'bool'),
  ...typed(NUMBERS, 'int'),
  ...typed(TEXTS, 'string'),
  limited: 'bool',
  limit: 'int',
}
export const IDENTITY_TYPES = { subject: 'string', kind: 'string', groups: 'list<string>', principal: 'string' } as const
export const TARGET_TYPES = {
  name: 'string',
  protocol: 'string',
  database: 'string',
  labels: 'map<string, string>',
} as const

/** One message's facts as conditions see them. */
export class ConditionFacts {
  [name: string]: string | bigint | boolean | readonly string[]

  constructor(facts: Facts, kind: string) {
    this['version'] = FACTS_VERSION
    this['kind'] = kind
    for (const name of LISTS) this[name] = listOf(facts[name])
    for (const name of FLAGS) this[name] = facts[name] === true
    for (const name of NUMBERS) this[name] = whole(facts[name])
    for (const name of TEXTS) this[name] = wordOf(facts[name])
    const { limit } = facts
    this['limited'] = typeof limit === 'number'
    this['limit'] = typeof limit === 'number' ? whole(limit) : limit === null ? NO_LIMIT : 0n
  }
}

/** Who asks, and where: the same for all of a session. */
export interface ConditionPlace {
  readonly identity: { readonly [name in keyof typeof IDENTITY_TYPES]: string | readonly string[] }
  readonly target: { readonly [name in keyof typeof TARGET_TYPES]: string | Readonly<Record<string, string>> }
}

export function conditionPlace(identity: Identity, target: Target): ConditionPlace {
  return {
    identity: {
      subject: identity.subject,
      kind: identity.kind,
      groups: identity.groups,
      principal: identity.principal ?? '',
    },
    target: { name: target.name, protocol: target.protocol, database: target.database ?? '', labels: target.labels },
  }
}

const NO_NAMES: readonly string[] = []

function listOf(value: Facts[string] | undefined): readonly string[] {
  return Array.isArray(value) ? value : NO_NAMES
}

function wordOf(value: Facts[string] | undefined): string {
  return typeof value === 'string' ? value : ''
}

function whole(value: Facts[string] | undefined): bigint {
  return typeof value === 'number' && Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
}
