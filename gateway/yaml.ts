import { readFile } from 'node:fs/promises'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, stringify } from 'yaml'
import { ApplianceError, type ErrorCode } from '../schemas/errors.ts'
import { soften } from './yaml-soften.ts'
import { resolvingMistake, syntaxMistakes } from './yaml-syntax.ts'

/** Larger configuration is a mistake or an attack; the largest real policy seen is far below a tenth of this. */
const MAX_YAML_CHARS = 1_048_576

/** All mistakes at once, but not without end: a file in the wrong format would print a line for each of its lines. */
const MAX_MISTAKES = 100

/** A found value is quoted up to here; longer text says nothing more. */
const MAX_FOUND_CHARS = 40

/** Values under such keys are never quoted in a message: it may end up in a log. */
const SECRET_KEY = /pass|secret|token|key|credential|private/i

// The library stops at 8 by default; "all at once" needs more. Process-wide, and nothing here wants it lower.
Settings.Set({ maxErrors: MAX_MISTAKES * 4 })

type Path = readonly (string | number)[]
type InvalidCode = Extract<ErrorCode, `${string}_INVALID`>

/** The text of a configuration. Rejects CONFIG_INVALID. */
export function readYamlText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  })
}

/** YAML for people to read and to copy into their files. */
export function writeYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false })
}

/**
 * The value of a YAML file, checked against its schema.
 * Throws ApplianceError with `code`, naming every mistake as `file:line:col: where: found ..., expected ...`.
 */
export function readYaml<S extends TSchema>(text: string, file: string, schema: S, code: InvalidCode): Static<S> {
  const opened = openYaml(text, file, schema, code)
  opened.finish()
  return opened.value
}

/**
 * As readYaml, for callers with checks of their own: they add mistakes by path, then call `finish`. Where the schema has found
 * mistakes already, `value` is of its types but made up in the places that did not fit; what is said of those is not told.
 */
export function openYaml<S extends TSchema>(text: string, file: string, schema: S, code: InvalidCode): YamlFile<Static<S>> {
  if (text.length > MAX_YAML_CHARS) {
    throw new ApplianceError(code, `${file}: ${text.length} characters; a configuration file may have ${MAX_YAML_CHARS}`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const mistakes = new Mistakes(file, code, document, lines)
  for (const { offset, message } of syntaxMistakes(document)) mistakes.addAt(offset, message)
  mistakes.throwIfAny()
  let value: unknown
  try {
    value = document.toJS()
  } catch (error) {
    mistakes.addAt(0, resolvingMistake(error))
  }
  mistakes.throwIfAny()
  const validator = Compile(schema)
  if (!validator.Check(value)) {
    for (const error of relevant(schema, value, validator.Errors(value))) explain(mistakes, schema, value, error)
    if (mistakes.count === 0) mistakes.add([], `does not fit: expected ${describe(schema)}`)
    if (!isRecord(value)) mistakes.throwIfAny()
    return new YamlFile(soften(schema, value) as Static<S>, mistakes, mistakes.places) // soften gives what has the schema's types
  }
  return new YamlFile(value as Static<S>, mistakes, []) // checked above
}

/** A checked file, still able to say where in it something stands. */
export class YamlFile<T> {
  readonly value: T
  readonly #mistakes: Mistakes
  readonly #torn: readonly Path[]

  /** `torn`: where the schema found mistakes. */
  constructor(value: T, mistakes: Mistakes, torn: readonly Path[]) {
    this.value = value
    this.#mistakes = mistakes
    this.#torn = torn
  }

  /**
   * Adds a mistake the schema cannot see; `path` leads to it, e.g. ['rules', 3, 'match', 'verb']. Not told where the schema has found
   * a mistake there, above or below, or in anything else the check went by: `others`, e.g. ['identities', '*', 'groups'].
   */
  mistake(path: Path, message: string, others: readonly Path[] = []): void {
    if (this.#torn.some((torn) => path.length > 0 && touches(torn, path))) return
    if (others.some((other) => this.#torn.some((torn) => touches(torn, other)))) return
    this.#mistakes.add(path, message)
  }

  /** Throws if there were mistakes, naming all of them in the order of their lines. */
  finish(): void {
    this.#mistakes.throwIfAny()
  }

  /** 1-based line of what `path` leads to. */
  line(path: Path): number {
    return this.#mistakes.position(path).line
  }
}

/** Whether one path leads through the other; `*` is any step. */
function touches(one: Path, other: Path): boolean {
  const shared = Math.min(one.length, other.length)
  return one.slice(0, shared).every((step, index) => step === other[index] || other[index] === '*')
}

class Mistakes {
  readonly #file: string
  readonly #code: InvalidCode
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #found: { readonly line: number; readonly col: number; readonly message: string; readonly place: Path }[] = []

  constructor(file: string, code: InvalidCode, document: Document, lines: LineCounter) {
    this.#file = file
    this.#code = code
    this.#document = document
    this.#lines = lines
  }

  get count(): number {
    return this.#found.length
  }

  /** What the mistakes so far are about. */
  get places(): readonly Path[] {
    return this.#found.map(({ place }) => place)
  }

  add(path: Path, message: string, place: Path = path): void {
    this.#found.push({ ...this.position(path), place, message: path.length === 0 ? message : `${dotted(path)}: ${message}` })
  }

  addAt(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset)
    this.#found.push({ line, col, message, place: [] })
  }

  /** Where the key of `path` stands, or the nearest thing above it that does. */
  position(path: Path): { readonly line: number; readonly col: number } {
    let node: unknown = this.#document.contents
    let offset = 0
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === String(step),
        )
        if (pair === undefined) break
        if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
        node = pair.value
      } else {
        node = isNode(node) && 'get' in node && typeof node.get === 'function' ? node.get(step, true) : undefined
        if (!isNode(node)) break
        offset = node.range?.[0] ?? offset
      }
    }
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(1, line), col: Math.max(1, col) }
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return
    const sorted = [...this.#found].sort((a, b) => a.line - b.line || a.col - b.col)
    const shown = sorted.slice(0, MAX_MISTAKES).map(({ line, col, message }) => `  ${this.#file}:${line}:${col}: ${message}`)
    if (sorted.length > shown.length) shown.push(`  and ${sorted.length - shown.length} more`)
    const head = sorted.length === 1 ? '1 mistake' : `${sorted.length} mistakes`
    throw new ApplianceError(this.#code, [`${this.#file}: ${head}`, ...shown].join('\n'))
  }
}

/**
 * Of a union that fits nowhere the library reports every branch. Kept: the branch of the same shape (a list, a mapping)
 * where there is exactly one, for its inner mistakes are what the reader wants; else the union as a whole.
 */
function relevant(schema: TSchema, value: unknown, errors: readonly TLocalizedValidationError[]): TLocalizedValidationError[] {
  const hidden: string[] = []
  const dropped = new Set<TLocalizedValidationError>()
  for (const union of errors.filter((error) => error.keyword === 'anyOf')) {
    const branches = branchesOf(schemaAt(schema, union.schemaPath))
    const here = valueAt(value, union.instancePath)
    const fitting = branches.flatMap((branch, index) => (sameShape(branch, here) ? [index] : []))
    const [only] = fitting
    const follow = fitting.length === 1 && only !== undefined && typeof here === 'object'
    if (follow) dropped.add(union)
    branches.forEach((_, index) => {
      if (!follow || index !== only) hidden.push(`${union.instancePath}\n${union.schemaPath}/anyOf/${index}`)
    })
  }
  return errors.filter((error) => {
    if (error.keyword === 'boolean' || dropped.has(error)) return false
    return !hidden.some((entry) => {
      const [instance = '', path = ''] = entry.split('\n')
      return error.instancePath.startsWith(instance) && (error.schemaPath === path || error.schemaPath.startsWith(`${path}/`))
    })
  })
}

function explain(mistakes: Mistakes, schema: TSchema, value: unknown, error: TLocalizedValidationError): void {
  const path = steps(error.instancePath)
  const expected = schemaAt(schema, error.schemaPath)
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys(propertiesOf(expected))
      for (const name of error.params.additionalProperties) {
        const near = nearest(name, known)
        const list = known.length === 0 ? '' : `; known here: ${known.join(', ')}`
        // A key misspelt is a key missing.
        mistakes.add([...path, name], `unknown key${near === undefined ? list : `; did you mean "${near}"?`}`, [
          ...path,
          near ?? name,
        ])
      }
      return
    }
    case 'required':
      for (const name of error.params.requiredProperties) mistakes.add(path, `"${name}" is missing`, [...path, name])
      return
    default: {
      const found = describeFound(valueAt(value, error.instancePath), path)
      const near = nearest(String(valueAt(value, error.instancePath)), choices(expected))
      const hint = near === undefined ? '' : `; did you mean "${near}"?`
      mistakes.add(path, `found ${found}, expected ${describe(expected)}${hint}`)
    }
  }
}

/** What a schema wants, in words, and what that is for where the schema says so. */
function describe(schema: unknown): string {
  if (!isRecord(schema)) return 'something else'
  const options = choices(schema)
  if (options.length > 1) return `one of ${options.join(', ')}`
  const { description } = schema
  return typeof description === 'string' ? `${describeForm(schema)} (${description})` : describeForm(schema)
}

function describeForm(schema: Readonly<Record<string, unknown>>): string {
  if ('const' in schema) return JSON.stringify(schema['const'])
  const branches = branchesOf(schema)
  if (branches.length > 0) return branches.map(describe).join(', or ')
  switch (schema['type']) {
    case 'string':
      if (typeof schema['pattern'] === 'string') return `text like ${schema['pattern']}`
      return `${Number(schema['minLength'] ?? 0) > 0 ? 'some text' : 'text'}${schema['maxLength'] === undefined ? '' : ` of at most ${schema['maxLength']} characters`}`
    case 'integer':
    case 'number': {
      const from = schema['minimum'] === undefined ? '' : ` from ${schema['minimum']}`
      const to = schema['maximum'] === undefined ? '' : ` to ${schema['maximum']}`
      return `${schema['type'] === 'integer' ? 'a whole number' : 'a number'}${from}${to}`
    }
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list${schema['minItems'] === undefined ? '' : ` of at least ${schema['minItems']}`}: ${describe(schema['items'])}`
    case 'object': {
      const { required, minProperties } = schema
      if (Array.isArray(required) && required.length > 0) return `a mapping with ${required.join(', ')}`
      return minProperties === undefined ? 'a mapping' : `a mapping with one of ${Object.keys(propertiesOf(schema)).join(', ')}`
    }
    default:
      return 'something else'
  }
}

function describeFound(value: unknown, path: Path): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping'
  if (path.some((step) => SECRET_KEY.test(String(step)))) return typeof value === 'string' ? 'text' : `a ${typeof value}`
  const text = JSON.stringify(value)
  return text.length > MAX_FOUND_CHARS ? `${text.slice(0, MAX_FOUND_CHARS)}... (${text.length} characters)` : text
}

/** The fixed words a schema allows, if that is all it allows (or all the items of its list form). */
function choices(schema: unknown): string[] {
  if (!isRecord(schema)) return []
  if ('const' in schema) return [String(schema['const'])]
  if (Array.isArray(schema['enum'])) return schema['enum'].map(String)
  if (schema['type'] === 'array') return choices(schema['items'])
  const branches = branchesOf(schema).map(choices)
  return branches.every((words) => words.length > 0) ? [...new Set(branches.flat())] : []
}

function sameShape(schema: unknown, value: unknown): boolean {
  if (!isRecord(schema) || 'const' in schema || 'enum' in schema) return false
  const branches = branchesOf(schema)
  if (branches.length > 0) return branches.some((branch) => sameShape(branch, value))
  const type = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  return schema['type'] === type || (schema['type'] === 'integer' && type === 'number')
}

function branchesOf(schema: unknown): readonly unknown[] {
  return isRecord(schema) && Array.isArray(schema['anyOf']) ? schema['anyOf'] : []
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return isRecord(schema) && isRecord(schema['properties']) ? schema['properties'] : {}
}

function schemaAt(schema: unknown, path: string): unknown {
  return steps(path.replace(/^#/, '')).reduce((at: unknown, step) => (at as Record<string, unknown> | undefined)?.[step], schema)
}

function valueAt(value: unknown, path: string): unknown {
  return steps(path).reduce((at: unknown, step) => (at as Record<string, unknown> | null | undefined)?.[step], value)
}

function steps(pointer: string): (string | number)[] {
  if (pointer === '') return []
  const parts = pointer.slice(1).split('/')
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')))
}

function dotted(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
}

/** The known word within two fifths of its length in edits, if any. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({ candidate, distance: edits(word.toLowerCase(), candidate.toLowerCase()) }))
  const [best] = scored.sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.candidate.length / 2.5)) ? best.candidate : undefined
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function edits(a: string, b: string): number {
  // Far apart in length is far apart; also bounds the work on absurdly long keys.
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const options = [replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swapped ? (before[j - 2] ?? 0) + 1 : replaced]
      next.push(Math.min(...options))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
