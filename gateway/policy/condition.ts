import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import type { Facts } from '../../schemas/frame.ts'
import { linearPattern } from '../linear-pattern.ts'
import { ConditionFacts, type ConditionPlace, FACT_TYPES, IDENTITY_TYPES, TARGET_TYPES } from './condition-facts.ts'

/** Nodes of an expression, and how deep they may be nested. */
const MAX_NODES = 300
const MAX_DEPTH = 24
/** A list of facts has at most this many entries (the collector's MAX_NAMES); what loops over one is counted so often. */
const LIST_ENTRIES = 1_000
/** Steps of one evaluation at the most: a millisecond or two. */
const MAX_COST = 50_000

/** A `when:`, checked. Throws where it cannot be evaluated; whoever asks then blocks. */
export type Condition = (facts: Facts, kind: string, place: ConditionPlace) => boolean

/** What is wrong with a condition, and at which 1-based character. */
export class ConditionError extends Error {
  constructor(message: string, at: number | undefined) {
    super(at === undefined ? message : `${message}, at character ${at}`)
    this.name = 'ConditionError'
  }
}

/** CEL's `matches` is V8's, which takes exponential time for some patterns. Of the same length, so that positions stay. */
const LINEAR_MATCHES = 're2find'
const patterns = new Map<string, ReturnType<typeof linearPattern>>()
const MAX_PATTERNS = 1_000

const environment = new Environment({ limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH } })
  .registerType('Facts', { ctor: ConditionFacts, fields: FACT_TYPES })
  .registerVariable('facts', 'Facts')
  .registerVariable({ name: 'identity', schema: IDENTITY_TYPES })
  .registerVariable({ name: 'target', schema: TARGET_TYPES })
  .registerFunction(`string.${LINEAR_MATCHES}(string): bool`, (text: string, source: string) => patternOf(source).found(text))

/**
 * A CEL expression over `facts`, `identity` and `target` that says yes or no. Everything that can be wrong with it is found here:
 * syntax, names, types, patterns, cost. Throws ConditionError.
 */
export function compileCondition(source: string): Condition {
  const parsed = parse(linear(source))
  const { valid, type, error } = parsed.check()
  if (!valid) throw mistake(error)
  if (type !== 'bool') throw new ConditionError(`says ${type}, not true or false`, undefined)
  if (!looksAt(parsed.ast)) throw new ConditionError('looks at nothing: it would always say the same', undefined)
  const unknown = functionsIn(parsed.ast).find(({ name }) => !FUNCTIONS.has(name))
  if (unknown !== undefined) throw new ConditionError(`${unknown.name}() is not for conditions`, unknown.pos + 1)
  const cost = costOf(parsed.ast)
  if (cost > MAX_COST)
    throw new ConditionError(`may take ${cost} steps, of ${MAX_COST}: do not loop over lists inside loops over lists`, undefined)
  return (facts, kind, place) => parsed({ facts: shown(facts, kind), ...place }) === true
}

/** The facts a condition names. */
export function factsNamed(source: string): readonly string[] {
  const text = source.replace(/"[^"]*"|'[^']*'/g, '""')
  return [...new Set([...text.matchAll(/\bfacts\.([a-z_]+)/g)].map(([, name = '']) => name))]
}

/** By the facts that messages share; several conditions ask of the same message. */
const made = new WeakMap<Facts, ConditionFacts>()

function shown(facts: Facts, kind: string): ConditionFacts {
  const known = made.get(facts)
  if (known?.['kind'] === kind) return known
  const fresh = new ConditionFacts(facts, kind)
  made.set(facts, fresh)
  return fresh
}

/** The expression with every `matches` routed to the linear engine, and every pattern compiled. */
function linear(source: string): string {
  let text = source
  for (const { pos, args } of calls(parse(source).ast, 'matches')) {
    const [pattern] = args
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string')
      throw new ConditionError('matches() takes a pattern written out, so that it can be checked', pos + 1)
    try {
      patternOf(pattern.args)
    } catch (error) {
      throw new ConditionError(error instanceof Error ? error.message : String(error), pattern.pos + 1)
    }
    const at = text.lastIndexOf('matches', pattern.pos)
    text = `${text.slice(0, at)}${LINEAR_MATCHES}${text.slice(at + LINEAR_MATCHES.length)}`
  }
  const [left] = calls(parse(text).ast, 'matches')
  if (left !== undefined) throw new ConditionError('no comment may stand between matches and its pattern', left.pos + 1)
  return text
}

function parse(source: string): ReturnType<Environment['parse']> {
  try {
    return environment.parse(source)
  } catch (error) {
    throw mistake(error as Mistake) // parse throws nothing else
  }
}

/** As much of the library's errors as is told. */
interface Mistake {
  readonly summary: string
  readonly range?: { readonly start: number }
}

function mistake(error: Mistake | undefined): ConditionError {
  const at = error?.range?.start
  return new ConditionError(error?.summary ?? 'cannot be read', at === undefined ? undefined : at + 1)
}

function patternOf(source: string): ReturnType<typeof linearPattern> {
  const known = patterns.get(source)
  if (known !== undefined) return known
  if (patterns.size >= MAX_PATTERNS) patterns.clear()
  const made = linearPattern(source)
  patterns.set(source, made)
  return made
}

interface Call {
  readonly pos: number
  readonly args: readonly ASTNode[]
}

/** Calls of a method of this name. */
function calls(node: ASTNode, name: string): readonly Call[] {
  const inside = childrenOf(node).flatMap((child) => calls(child, name))
  return node.op === 'rcall' && node.args[0] === name ? [...inside, { pos: node.pos, args: node.args[2] }] : inside
}

function looksAt(node: ASTNode): boolean {
  return (node.op === 'id' && ['facts', 'identity', 'target'].includes(node.args)) || childrenOf(node).some(looksAt)
}

const LOOPS = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])
/** What takes little time, makes nothing larger than it was given, and asks no clock. */
const FUNCTIONS = new Set([
  ...LOOPS,
  ...[
    'has',
    'size',
    'contains',
    'startsWith',
    'endsWith',
    LINEAR_MATCHES,
    'lowerAscii',
    'upperAscii',
    'trim',
    'indexOf',
    'lastIndexOf',
  ],
  ...['substring', 'int', 'double', 'string', 'bool'],
])

function functionsIn(node: ASTNode): readonly { readonly name: string; readonly pos: number }[] {
  const inside = childrenOf(node).flatMap(functionsIn)
  return node.op === 'rcall' || node.op === 'call' ? [{ name: node.args[0], pos: node.pos }, ...inside] : inside
}

/** Steps an evaluation may take at the most: what stands in a loop counts for every entry of what is looped over. */
function costOf(node: ASTNode): number {
  const children = childrenOf(node)
  if (node.op !== 'rcall') return children.reduce((sum, child) => sum + costOf(child), 1)
  const [name, receiver, args] = node.args
  const inside = args.reduce((sum, arg) => sum + costOf(arg), 1)
  if (LOOPS.has(name)) return costOf(receiver) + inside * entriesOf(receiver)
  const [pattern] = args
  const steps = name === LINEAR_MATCHES && pattern?.op === 'value' ? patternOf(String(pattern.args)).size : 0
  return costOf(receiver) + inside + steps
}

/** Entries of what is looped over, at the most: lists may be added up. */
function entriesOf(node: ASTNode): number {
  if (node.op === 'list') return node.args.length
  return node.op === '+' ? node.args.reduce((sum, part) => sum + entriesOf(part), 0) : LIST_ENTRIES
}

function childrenOf({ args }: ASTNode): readonly ASTNode[] {
  const found = Array.isArray(args) ? args.flat(2) : [args]
  return found.filter((each): each is ASTNode => typeof each === 'object' && each !== null && 'op' in each)
}
