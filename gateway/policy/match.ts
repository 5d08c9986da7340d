import type { Facts } from '../../schemas/frame.ts'
import type { Match } from '../../schemas/policy.ts'
import type { ConditionPlace } from './condition-facts.ts'
import { FLAG_FIELDS, RANGE_FIELDS } from './fact-table.ts'
import { type Fits, globs } from './globs.ts'
import { listOf } from './quantities.ts'
import { allowedTests } from './shell/allowed.ts'
import { hostGlobs } from './shell/hosts.ts'
import { shellTests } from './shell/match-shell.ts'
import { categoriesOf } from './sql/functions.ts'

/** Whose session it is, and what it has done before that changes what names mean. */
export interface Surroundings {
  /** The schemas an unqualified name may be found in; undefined: any, since the session has changed its search_path. */
  readonly searchPath: readonly string[] | undefined
  readonly place: ConditionPlace
}

/** `kind` is the message's. Throws where a condition cannot be evaluated. */
export type Matches = (facts: Facts, around: Surroundings, kind: string) => boolean

/**
 * One test for all the fields of a match but `kind`, which picks the messages it is asked about. `permits`: what fits is allowed, so that
 * what may be something else does not fit.
 */
export function compileMatch(match: Match, permits = false): Matches {
  const tests: Matches[] = []
  const among = permits ? every : some
  const verbs = listOf(match.verb).map((verb) => verb.toUpperCase())
  if (verbs.length > 0)
    tests.push((facts) =>
      typeof facts['verb'] === 'string'
        ? verbs.includes(facts['verb'].toUpperCase())
        : among(names(facts, 'verbs'), (verb) => isVerb(verb, verbs)),
    )
  if (match.relations !== undefined) tests.push(relationTest(listOf(match.relations), permits))
  for (const name of ['columns', 'labels'] as const) {
    const patterns = match[name]
    if (patterns !== undefined) tests.push(listTest(name, globs(patterns), among))
  }
  if (match.sets !== undefined) tests.push(setTest(globs(match.sets), permits))
  if (match.text !== undefined) tests.push(wordTest('text', globs(match.text, { ignoreCase: true })))
  const methods = listOf(match.method).map((method) => method.toUpperCase())
  if (methods.length > 0) tests.push((facts) => methods.some((method) => method === facts['method']))
  for (const name of ['path', 'route'] as const) {
    const patterns = match[name]
    if (patterns !== undefined) tests.push(wordTest(name, globs(patterns)))
  }
  // Types are compared so (RFC 9110, 8.3.1), and in Kubernetes there is none with a capital.
  for (const name of ['content_type', 'resource', 'api_group'] as const) {
    const patterns = match[name]
    if (patterns !== undefined) tests.push(wordTest(name, globs(patterns, { ignoreCase: true })))
  }
  for (const name of ['namespace', 'name'] as const) {
    const patterns = match[name]
    if (patterns !== undefined) tests.push(placeTest(name, globs(patterns), permits))
  }
  for (const name of ['rpc_method', 'tool', 'graphql'] as const) {
    const patterns = match[name]
    if (patterns !== undefined) tests.push(permits ? callsTest(name, globs(patterns)) : listTest(name, globs(patterns), some))
  }
  if (match.subsystem !== undefined) tests.push(wordTest('subsystem', globs(match.subsystem)))
  if (match.forward !== undefined) tests.push(...forwardTests(match.forward))
  const operations = new Set<string>(listOf(match.operation))
  if (operations.size > 0) tests.push(listTest('operations', (operation) => operations.has(operation), among))
  if (match.functions !== undefined || match.function_categories !== undefined) tests.push(functionTest(match, among))
  if (match.copy !== undefined) tests.push(copyTest(match.copy, among))
  if (match.has_where !== undefined) tests.push(whereTest('without_where', !match.has_where, verbs))
  if (match.where_trivial !== undefined) tests.push(whereTest('trivial_where', match.where_trivial, verbs))
  if (match.limited !== undefined)
    tests.push((facts) => facts['limit'] !== undefined && (facts['limit'] !== null) === match.limited)
  tests.push(...(permits ? allowedTests(match) : shellTests(match)))
  for (const name of FLAG_FIELDS) {
    const wanted = match[name]
    if (wanted !== undefined) tests.push((facts) => (facts[name] === true) === wanted)
  }
  for (const name of RANGE_FIELDS) {
    const range = match[name]
    if (range !== undefined) tests.push(rangeTest(name, range))
  }
  return (facts, around, kind) => tests.every((test) => test(facts, around, kind))
}

/** `DROP` is every DROP; `DROP TABLE` only that. */
export function isVerb(verb: string, wanted: readonly string[]): boolean {
  return wanted.some((want) => verb === want || (verb.startsWith(want) && verb[want.length] === ' '))
}

function names(facts: Facts, name: string): readonly string[] {
  const value = facts[name]
  return Array.isArray(value) ? value : []
}

/** Of a list: one is enough to stop what it is part of; to let that through all have to fit, and there has to be one. */
type Among = (list: readonly string[], fits: Fits) => boolean
const some: Among = (list, fits) => list.some(fits)
const every: Among = (list, fits) => list.length > 0 && list.every(fits)

function wordTest(name: string, fits: Fits): Matches {
  return (facts) => {
    const value = facts[name]
    return typeof value === 'string' && fits(value)
  }
}

/** Of a request about all of them (`*`), which is about each: one that is to be stopped is among them, one that is allowed is not all. */
function placeTest(name: string, fits: Fits, permits: boolean): Matches {
  return (facts) => {
    const value = facts[name]
    if (value === '*' && !permits) return true
    return typeof value === 'string' && fits(value)
  }
}

function listTest(name: string, fits: Fits, among: Among): Matches {
  return (facts) => among(names(facts, name), fits)
}

/** Of what is allowed: nothing that fits takes along what does not. */
function callsTest(name: 'rpc_method' | 'tool' | 'graphql', fits: Fits): Matches {
  return (facts) => {
    const called = names(facts, name)
    if (called.length === 0) return false
    if (name === 'graphql') {
      const kinds = called.filter((each) => GRAPHQL_KINDS.has(each))
      const named = called.filter((each) => !GRAPHQL_KINDS.has(each))
      return kinds.every(fits) || (named.length > 0 && named.every(fits))
    }
    if (name === 'tool' && names(facts, 'rpc_method').some((method) => method !== 'tools/call')) return false
    return called.every(fits) && facts['graphql'] === undefined
  }
}

const GRAPHQL_KINDS = new Set(['query', 'mutation', 'subscription'])

/** A setting whose name cannot be told (`*`) may be any. */
function setTest(fits: Fits, permits: boolean): Matches {
  if (permits) return listTest('sets', (set) => set !== '*' && fits(set), every)
  return (facts) => names(facts, 'sets').some((set) => set === '*' || fits(set))
}

/**
 * A name without schema may be that of any schema in the search path, so it fits a pattern when it does in one of them, and one of what is allowed when it
 * does in all. System catalogs are found first, and all are called pg_ something.
 */
function relationTest(patterns: readonly string[], permits: boolean): Matches {
  const fits = globs(
    patterns.map((pattern) => (pattern.replace(/^!/, '').includes('.') ? pattern : pattern.replace(/^(!?)/, '$1*.'))),
  )
  const tables = globs(
    patterns.filter((pattern) => !pattern.startsWith('!')).map((pattern) => pattern.slice(pattern.lastIndexOf('.') + 1)),
  )
  if (permits)
    return (facts, { searchPath }) =>
      every(names(facts, 'relations'), (name) => {
        if (name.includes('.') || searchPath === undefined) return name.includes('.') && fits(name)
        const places = name.startsWith('pg_') ? ['pg_catalog', ...searchPath] : searchPath
        return every(places, (schema) => fits(`${schema}.${name}`))
      })
  return (facts, around) =>
    names(facts, 'relations').some((name) => {
      if (name.includes('.')) return fits(name)
      if (around.searchPath === undefined) return tables(name)
      if (name.startsWith('pg_') && fits(`pg_catalog.${name}`)) return true
      return around.searchPath.some((schema) => fits(`${schema}.${name}`))
    })
}

/** One function must fit both, so that `!app.*` takes app's own functions out of `unknown`. */
function functionTest(match: Match, among: Among): Matches {
  const fits = match.functions === undefined ? undefined : globs(match.functions)
  const wanted = new Set<string>(listOf(match.function_categories))
  return (facts) =>
    among(
      names(facts, 'functions'),
      (name) =>
        (fits === undefined || fits(name)) && (wanted.size === 0 || categoriesOf(name).some((category) => wanted.has(category))),
    )
}

function forwardTests({ direction, host, port }: NonNullable<Match['forward']>): Matches[] {
  const directions = new Set<string>(listOf(direction))
  const ports = new Set<unknown>(typeof port === 'number' ? [port] : port)
  return [
    ...(directions.size === 0 ? [] : [wordTest('direction', (word) => directions.has(word))]),
    ...(host === undefined ? [] : [wordTest('host', hostGlobs(host))]),
    ...(ports.size === 0 ? [] : [(facts: Facts) => ports.has(facts['port'])]),
  ]
}

function copyTest(copy: NonNullable<Match['copy']>, among: Among): Matches {
  const targets = listOf(copy.target)
  return (facts) =>
    among(names(facts, 'copies'), (entry) => {
      const [direction, target] = entry.split(':')
      return (
        (copy.direction === undefined || copy.direction === direction) &&
        (targets.length === 0 || targets.some((name) => name === target))
      )
    })
}

/**
 * Of the verbs the rule names (all, where it names none): whether one is in the list, or, asked the other way, whether one that
 * could have a WHERE is not in it.
 */
function whereTest(list: 'without_where' | 'trivial_where', wanted: boolean, verbs: readonly string[]): Matches {
  return (facts) => {
    if (facts['has_where'] === undefined) return false
    const found = names(facts, list).some((verb) => verbs.length === 0 || isVerb(verb, verbs))
    return found === wanted
  }
}

/** A number that is not there is no number, except that no limit is more than any. */
function rangeTest(name: string, range: { readonly min?: number; readonly max?: number }): Matches {
  const { min = 0, max = Number.POSITIVE_INFINITY } = range
  return (facts) => {
    const value = facts[name] === null ? Number.POSITIVE_INFINITY : facts[name]
    return typeof value === 'number' && value >= min && value <= max
  }
}
