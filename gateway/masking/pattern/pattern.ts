import type { ValidatorName } from '../../../schemas/policy-masking.ts'
import { type ByteSet, byteAt, follows, WORD } from '../bytes.ts'
import { type Detector, MIN_FIELD_SIZE, type Probe } from '../detector.ts'
import { type Branch, bitsOf, branchesOf, isImpossible, mayHold, sizeOf, windowOf } from './branches.ts'
import { furthest, machineOf, reached } from './machine.ts'
import { type Node, parsePattern } from './syntax.ts'
import { VALIDATORS } from './validators.ts'

/** The longest value, but where its end is a repeat of one class: that goes on as a tail. */
const MAX_VALUE_SIZE = 512
/** Bytes of a value before the stretch it is found by. */
const MAX_BEFORE_SIZE = 48
/** Where words of context are looked for; with the two before it, no more than a detector may look back. */
const CONTEXT_SIZE = 64
/** Of ordinary text: a pattern tried more often would slow everything down, and mask what nobody meant. */
const MAX_RATE = 1 / 500
/** A word begins or ends at every fourth byte or so. */
const BOUNDARY_SHARE = 0.3

const NO_WORD: ByteSet = WORD.map((member) => 1 - member)

/** What the policy says of a pattern. */
export interface PatternSource {
  readonly regex: string
  readonly validator?: ValidatorName
  /** Lower case: one of them has to stand before the value, or in the name of what it is the value of. */
  readonly context?: readonly string[]
}

/** A pattern ready to scan. */
export interface CompiledPattern {
  /** One for each of its alternatives. */
  readonly detectors: readonly Omit<Detector, 'entity'>[]
  /** How often ordinary text has what it is tried at, per byte. */
  readonly rate: number
  /** How many different values it knows at the most, as a power of two. */
  readonly bits: number
}

/** Throws SyntaxError saying what is wrong: no pattern of the part of RE2 that is known, too broad, too long, or one that could never fire. */
export function compilePattern(source: PatternSource): CompiledPattern {
  const tree = parsePattern(source.regex)
  if (isImpossible(tree)) throw new SyntaxError('a class in it has no member: it could never fire')
  const [min] = sizeOf([tree])
  if (min === 0) throw new SyntaxError('matches the empty text')
  if (min < MIN_FIELD_SIZE)
    throw new SyntaxError(`matches values of ${min} bytes; below ${MIN_FIELD_SIZE} nothing is looked at, and too much would fit`)
  const wanted = source.validator === undefined ? undefined : VALIDATORS[source.validator].needs
  if (wanted !== undefined && !mayHold([tree], wanted))
    throw new SyntaxError(`no value of it has what the validator ${source.validator} looks at: it could never fire`)
  const parts = branchesOf(tree).map((branch) => compileBranch(branch, source))
  const rate = parts.reduce((sum, part) => sum + part.rate, 0)
  if (rate > MAX_RATE)
    throw new SyntaxError(
      `is too broad: ordinary text has what it is tried at every ${Math.max(1, Math.round(1 / rate))} bytes, and it may every ${1 / MAX_RATE}. Give it a fixed part, or a longer run of a small class`,
    )
  return { detectors: parts.map(({ detector }) => detector), rate, bits: bitsOf([tree]) }
}

function compileBranch(
  branch: Branch,
  source: PatternSource,
): { readonly detector: Omit<Detector, 'entity'>; readonly rate: number } {
  const window = windowOf(branch, MAX_BEFORE_SIZE)
  if (window === undefined) throw new SyntaxError(`is too broad: of its first ${MAX_BEFORE_SIZE} bytes none is certain`)
  const tail = checkSizes(branch.items, window.rest)
  const { start, end } = branch.boundary
  // Where a word has to begin, the byte before it is part of what is looked for.
  const edged =
    start && window.before.length === 0 && window.sets[0]?.every((member, byte) => member === 0 || WORD[byte] === 1) === true
  const rest = machineOf(window.rest)
  const before = window.before.length === 0 ? undefined : machineOf(window.before, true)
  const size = window.sets.length
  const validate = source.validator === undefined ? undefined : VALIDATORS[source.validator].check
  const detector: Omit<Detector, 'entity'> = {
    triggers: [edged ? [NO_WORD, ...window.sets] : window.sets],
    verify(bytes, from, at, to, probe) {
      const index = at - size
      if (index < from) return false
      const isEdge = (position: number): boolean => isWordEdge(bytes, position, from, to)
      const limit = Math.min(to, index + MAX_VALUE_SIZE)
      const last = furthest(rest, bytes, index, limit, end ? isEdge : always)
      probe.seen = Math.max(at, reached.index)
      const goesOn = tail !== undefined && reached.index === index + MAX_VALUE_SIZE && reached.accepting
      if (last < 0 && !goesOn) return false
      const low = Math.max(from, index - MAX_BEFORE_SIZE)
      const fits = start ? isEdge : always
      const first = before === undefined ? (fits(index) ? index : -1) : furthest(before, bytes, index, low, fits)
      if (first < 0) return false
      const stop = goesOn ? limit : last
      if (validate !== undefined && !validate(bytes, first, stop)) return false
      if (source.context !== undefined && !hasContext(bytes, first, source.context, probe)) return false
      probe.start = first
      probe.end = stop
      if (goesOn) probe.tail = { set: tail }
      return true
    },
  }
  return { detector, rate: window.rate * (edged ? BOUNDARY_SHARE : 1) }
}

const always = (): boolean => true

/** The class a value may go on with without end; undefined where it has one. */
function checkSizes(items: readonly Node[], rest: readonly Node[]): ByteSet | undefined {
  const last = items.at(-1)
  const tail =
    last?.type === 'repeat' && last.max === Number.POSITIVE_INFINITY && last.item.type === 'set' ? last.item.set : undefined
  const [, head] = sizeOf(tail === undefined ? rest : rest.slice(0, -1))
  if (!Number.isFinite(head))
    throw new SyntaxError('goes on without end: only one class at the very end may; write {1,64} in the place of +')
  if (head > MAX_VALUE_SIZE) throw new SyntaxError(`matches up to ${head} bytes; a value may have ${MAX_VALUE_SIZE}`)
  return tail
}

/** `\b`: a word begins or ends here; beyond [from, to) there is none. */
function isWordEdge(bytes: Uint8Array, index: number, from: number, to: number): boolean {
  const before = index > from && WORD[byteAt(bytes, index - 1)] === 1
  const after = index < to && WORD[byteAt(bytes, index)] === 1
  return before !== after
}

function hasContext(bytes: Uint8Array, start: number, words: readonly string[], { back, path }: Probe): boolean {
  const from = Math.max(back, start - CONTEXT_SIZE)
  const name = path.toLowerCase()
  return words.some((word) => name.includes(word) || follows(bytes, from, start, word))
}
