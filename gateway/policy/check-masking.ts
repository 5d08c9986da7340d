import type { PolicyFile, PolicyTest } from '../../schemas/policy.ts'
import { STAND_INS } from '../masking/known-secret.ts'
import { type OwnPattern, ownDetectors } from '../masking/own.ts'
import { CODE_NAME, ENTITY_NAMES } from '../masking/rules.ts'
import { globs } from './globs.ts'
import { SECRET_LABEL } from './kubernetes/request-info.ts'
import { readPattern } from './patterns.ts'
import { listOf } from './quantities.ts'
import { type Report, suggestion } from './report.ts'

/** What labels, detectors, patterns and exemptions say wrong. */
export function checkMasking(file: PolicyFile, report: Report): void {
  const entities: readonly string[] = [...ENTITY_NAMES, CODE_NAME]
  for (const name of Object.keys(file.detectors ?? {})) {
    if (!entities.includes(name)) report(['detectors', name], `there is no detector of this name${suggestion(name, entities)}`)
  }
  const labels = [...Object.keys(file.labels ?? {}), SECRET_LABEL]
  for (const [id, label] of Object.entries(file.labels ?? {})) {
    if (label.columns === undefined && label.names === undefined)
      report(['labels', id], 'names no column: give `columns` or `names`')
  }
  checkPatterns(file, report)
  const detectors = [...entities, ...(file.patterns ?? []).map(({ id }) => id)]
  file.exempt?.forEach((entry, index) => {
    if (entry.labels === undefined && entry.detectors === undefined)
      report(['exempt', index], 'exempts from nothing: give `labels` or `detectors`')
    for (const [field, known] of [
      ['labels', labels],
      ['detectors', detectors],
    ] as const) {
      for (const pattern of listOf(entry[field])) {
        if (!known.some(globs(pattern.replace(/^!/, ''))))
          report(['exempt', index, field], `"${pattern}" fits none of them${suggestion(pattern, known)}`, [['labels', '*']])
      }
    }
  })
}

function checkPatterns({ patterns = [] }: PolicyFile, report: Report): void {
  const good: OwnPattern[] = []
  const seen = new Map<string, string>()
  patterns.forEach((pattern, index) => {
    const { id, entity = id, regex, validator, context } = pattern
    const path = ['patterns', index]
    const entities: readonly string[] = ENTITY_NAMES
    if (entities.includes(id)) report([...path, 'id'], `"${id}" is a detector that comes with Sallyport`)
    if (patterns.findIndex((other) => other.id === id) < index) report([...path, 'id'], `"${id}" is taken by a pattern above`)
    const same = JSON.stringify([regex, validator, context])
    const before = seen.get(same)
    if (before !== undefined) report([...path, 'regex'], `${before} finds all of it first: it could never fire`)
    else seen.set(same, id)
    try {
      good.push({ id, entity, compiled: readPattern(pattern) })
    } catch (error) {
      report([...path, 'regex'], error instanceof Error ? error.message : String(error))
    }
  })
  if (good.length < patterns.length || noRoomFor(good) === undefined) return
  let [fit, tooMany] = [0, good.length]
  while (tooMany - fit > 1) {
    const some = (fit + tooMany) >> 1
    if (noRoomFor(good.slice(0, some)) === undefined) fit = some
    else tooMany = some
  }
  const some = good.slice(0, tooMany)
  report(['patterns', fit], `"${good[fit]?.id}" has no room beside those above it: ${noRoomFor(some)}`)
}

/** Why so many patterns are too many; with sessions a target's credential, which the policy cannot know, is looked for as well. */
function noRoomFor(patterns: readonly OwnPattern[]): string | undefined {
  try {
    ownDetectors([...patterns, ...STAND_INS])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const TRIED = ['sql', 'ssh', 'http', 'egress', 'kubernetes', 'text'] as const

/** Each test is of statements or of texts, and expects what there is to say of them. */
export function checkTestShapes(tests: readonly PolicyTest[], report: Report): void {
  for (const [index, test] of tests.entries()) {
    const { as, on, at, column, reply, expect } = test
    const path = ['tests', index]
    const { action, rules, keep, masks } = expect
    const given = TRIED.filter((kind) => test[kind] !== undefined)
    const [kind] = given
    if (kind === undefined || given.length > 1) {
      report(path, 'tests nothing, or too much: give `sql`, `ssh`, `http`, `egress`, `kubernetes` or `text`, one of them')
      continue
    }
    const strange = kind === 'text' ? { on, at, reply, action, rules, keep } : { column, masks }
    for (const [field, value] of Object.entries(strange)) {
      if (value !== undefined)
        report(
          field in expect ? [...path, 'expect', field] : [...path, field],
          `is said of \`${kind === 'text' ? 'sql' : 'text'}\``,
        )
    }
    if (kind === 'text') {
      if (masks === undefined) report([...path, 'expect'], 'says not what is masked: give `masks`, `[]` for nothing')
      continue
    }
    if (as === undefined) report(path, 'says not who asks: give `as`')
    if (action === undefined) report([...path, 'expect'], 'says not what is to happen: give `action`')
  }
}
