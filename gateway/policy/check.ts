import type { FindingsConfig } from '../../schemas/findings.ts'
import type { Match, PolicyFile, Rule } from '../../schemas/policy.ts'
import { PROTOCOL_NAMES, type ProtocolName } from '../../schemas/session.ts'
import type { YamlFile } from '../yaml.ts'
import { checkMasking, checkTestShapes } from './check-masking.ts'
import { compileCondition, factsNamed } from './condition.ts'
import { factsAsked } from './fact-table.ts'
import { globs } from './globs.ts'
import { compileHours, minutesOf } from './hours.ts'
import { inlineRules } from './inline-findings.ts'
import { KUBERNETES_VERBS } from './kubernetes/request-info.ts'
import { isVerb } from './match.ts'
import { packNamed, packUse, rulesOf } from './packs/index.ts'
import { durationMs, listOf } from './quantities.ts'
import { type Path, type Report, suggestion } from './report.ts'
import { holdOf, kindsOf } from './rule.ts'
import { categoriesOf } from './sql/functions.ts'
import { DDL_VERBS, VERBS, WRITE_VERBS } from './sql/statements.ts'
import { VOCABULARIES } from './vocabulary.ts'

/** What a policy may be checked against beside itself. */
export interface PolicyContext {
  /** Groups that exist, where that is known: a hold nobody can decide is refused. */
  readonly groups?: ReadonlySet<string>
  /** Whose inline detectors are rules as well. */
  readonly findings?: FindingsConfig
}

/** Adds every mistake the schema cannot see: what could never fire, never be decided, or never be enforced. */
export function checkPolicy(yaml: YamlFile<PolicyFile>, context: PolicyContext): void {
  const file = yaml.value
  // What is wrong with several rules of a pack is said once, of the pack.
  const said = new Set<string>()
  const report: Report = (path, message, others) => {
    const key = JSON.stringify([path, message])
    if (!said.has(key)) yaml.mistake(path, message, others)
    said.add(key)
  }
  checkMasking(file, report)
  const lines = new Map<string, number>()
  if (file.rules === undefined && file.packs === undefined)
    report([], 'has neither `rules` nor `packs`: say `rules: []` where everything is to pass')
  checkPacks(file, report)
  for (const { rule, path } of rulesOf(file)) {
    const before = lines.get(rule.id)
    if (before !== undefined)
      report([...path, 'id'], `"${rule.id}" is taken by the rule in line ${before}; this one could never be told from it`)
    else lines.set(rule.id, yaml.line([...path, 'id']))
    if (/^(policy|shadow|label|detector|finding)\b/.test(rule.id))
      report([...path, 'id'], `"${rule.id}": this beginning is kept for the policy itself`)
    checkRule(rule, path, file, context, report)
  }
  for (const rule of inlineRules(context.findings ?? {}))
    if (rule.action === 'hold') {
      const { groups } = holdOf(rule.approval, file)
      if (groups.length === 0 || (context.groups !== undefined && !groups.some((group) => context.groups?.has(group))))
        report(
          [],
          `nobody could decide what ${rule.id} holds: give \`approval.groups\` in \`findings.inline\`, or \`defaults.approval\` here`,
        )
    }
  const { unparsable, action, masked_write: maskedWrite } = file.defaults ?? {}
  if ([unparsable, action, maskedWrite].includes('hold')) {
    checkApprovers(holdOf(undefined, file).groups, ['defaults'], context, report)
  }
  if (file.activation !== undefined)
    checkApprovers(holdOf(file.activation.approval, file).groups, ['activation', 'approval'], context, report)
  checkTests(file, report)
}

/** Packs are used once each, by the version the policy was written for, and tuned where they have rules. */
function checkPacks(file: PolicyFile, report: Report): void {
  const used = new Set<string>()
  file.packs?.forEach((written, index) => {
    const path = ['packs', index]
    const { pack: name, version, rules = {} } = packUse(written)
    const pack = packNamed(name)
    if (pack === undefined) return // the schema has said so
    if (used.has(name)) report(path, `"${name}" is used above already`)
    used.add(name)
    if (version !== undefined && version !== pack.version)
      report(
        [...path, 'version'],
        `this is version ${pack.version} of ${name}: read what its rules do now, then say ${pack.version}`,
      )
    const known = pack.rules.map(({ id }) => id.slice(name.length + 1))
    for (const id of Object.keys(rules)) {
      if (!known.includes(id))
        report([...path, 'rules', id], `${name} has no such rule${suggestion(id, known)}; it has ${known.join(', ')}`)
    }
    if (known.every((id) => rules[id] === 'off')) report(path, 'every rule of it is off')
  })
}

function checkRule(rule: Rule, path: Path, file: PolicyFile, context: PolicyContext, report: Report): void {
  const protocols = rule.on === undefined ? PROTOCOL_NAMES : PROTOCOL_NAMES.filter((name) => listOf(rule.on).includes(name))
  if (protocols.length === 0) return // the schema has said so
  const { threshold, match } = rule
  if (rule.action === 'hold')
    checkApprovers(
      holdOf(rule.approval, file).groups,
      [...path, rule.approval === undefined ? 'action' : 'approval'],
      context,
      report,
    )
  else if (rule.approval !== undefined)
    report([...path, 'approval'], `a rule that does not hold has nobody to ask (action is ${rule.action})`, [[...path, 'action']])
  if (rule.who !== undefined && rule.except !== undefined && covers(rule.except, rule.who)) {
    report([...path, 'except'], 'takes out everybody `who` names: the rule could never fire', [[...path, 'who']])
  }
  checkAsked(rule, path, context, report)
  if (threshold !== undefined) checkThreshold(rule, protocols, path, report)
  checkHours(rule, path, report)
  if (rule.when !== undefined) checkCondition(rule, rule.when, protocols, path, report)
  if (match === undefined) return
  checkLabels(match, file, [...path, 'match', 'labels'], report)
  checkKinds(rule, protocols, path, report)
  checkContradictions(match, protocols, [...path, 'match'], report)
}

/** A group misspelt would be a rule that stops nobody. */
function checkAsked({ who }: Rule, path: Path, { groups: known }: PolicyContext, report: Report): void {
  const groups = listOf(who?.groups)
  if (known === undefined || groups.length === 0 || groups.some((group) => known.has(group))) return
  const meant = groups.map((group) => suggestion(group, [...known])).find((words) => words !== '') ?? ''
  report([...path, 'who', 'groups'], `nobody can be in ${groups.join(', ')}: the rule could never fire${meant}`)
}

/** The week has to have a minute in which the rule holds. */
function checkHours({ during, outside }: Rule, path: Path, report: Report): void {
  for (const [field, hours] of Object.entries({ during, outside })) {
    if (hours === undefined) continue
    try {
      compileHours(hours)
    } catch {
      report([...path, field, 'zone'], `"${hours.zone ?? ''}" is no time zone known here; write it like Europe/Berlin`)
    }
  }
  if (outside === undefined) return
  const zones = during === undefined || (during.zone ?? 'UTC') === (outside.zone ?? 'UTC')
  const taken = minutesOf(outside.days, outside.hours)
  const left = [...minutesOf(during?.days, during?.hours)].filter((minute) => !taken.has(minute))
  if (zones && left.length === 0)
    report([...path, 'outside'], 'leaves no minute of the week: the rule could never fire', [[...path, 'during']])
}

function checkCondition(rule: Rule, source: string, protocols: readonly ProtocolName[], path: Path, report: Report): void {
  try {
    compileCondition(source)
  } catch (error) {
    report([...path, 'when'], error instanceof Error ? error.message : String(error))
  }
  const known = new Set(protocols.flatMap((protocol) => Object.values(VOCABULARIES[protocol].facts).flatMap(factsAsked)))
  for (const name of factsNamed(source)) {
    if (!known.has(name))
      report([...path, 'when'], `facts.${name}: no message of ${protocols.join(', ')} has this fact`, [[...path, 'on']])
  }
  const kinds = listOf(rule.match?.kind)
  if (rule.threshold !== undefined || kinds.length === 0) return
  if (!kinds.some((kind) => protocols.some((protocol) => VOCABULARIES[protocol].asking.has(kind))))
    report([...path, 'when'], `${kinds.join(', ')} has no facts to look at: the rule could never fire`, [
      [...path, 'match', 'kind'],
    ])
}

function checkLabels(match: Match, file: PolicyFile, path: Path, report: Report): void {
  // What no catalog can place counts as labelled so.
  const known = [...Object.keys(file.labels ?? {}), 'unknown-origin']
  for (const pattern of listOf(match.labels)) {
    if (!known.some(globs(pattern.replace(/^!/, ''))))
      report(path, `"${pattern}" fits no label of this policy${suggestion(pattern, known)}`, [['labels', '*']])
  }
}

function checkApprovers(groups: readonly string[], path: Path, context: PolicyContext, report: Report): void {
  if (groups.length === 0)
    report(path, 'a hold needs somebody who can decide: give `approval.groups` here or in `defaults.approval`', [
      ['defaults', 'approval'],
    ])
  if (context.groups !== undefined && groups.length > 0 && !groups.some((group) => context.groups?.has(group))) {
    report(path, `nobody is in ${groups.join(', ')}: what is held could never be approved`)
  }
}

function checkThreshold(rule: Rule, protocols: readonly ProtocolName[], path: Path, report: Report): void {
  const { threshold } = rule
  const { rows, bytes, distinct, code } = threshold ?? {}
  if ([rows, bytes, distinct, code].every((limit) => limit === undefined))
    report([...path, 'threshold'], 'counts nothing: give `rows`, `bytes`, `distinct` or `code`')
  checkWindow(threshold, [...path, 'threshold'], report)
  if (rule.action === 'allow') report([...path, 'action'], 'a threshold that allows has no effect: use block or hold')
  for (const kind of listOf(rule.match?.kind)) {
    if (protocols.every((protocol) => !VOCABULARIES[protocol].counted.includes(kind))) {
      const counted = [...new Set(protocols.flatMap((protocol) => VOCABULARIES[protocol].counted))]
      report([...path, 'match', 'kind'], `"${kind}" has no rows to count; counted: ${counted.join(', ')}`)
    }
  }
}

/** A week is the longest that processes keep for each other. */
const MAX_WINDOW_MS = 7 * 24 * 3_600_000

function checkWindow(threshold: Rule['threshold'], path: Path, report: Report): void {
  const { per, window, distinct, code } = threshold ?? {}
  const budget = per === 'identity' || per === 'principal'
  if (budget && window === undefined) report(path, `per: ${per} needs a \`window\`, like 1h`)
  if (!budget && window !== undefined) report([...path, 'window'], `only per: identity has one, this is per: ${per}`)
  if (window !== undefined && durationMs(window) > MAX_WINDOW_MS) report([...path, 'window'], 'at most 168h')
  if (budget && distinct !== undefined) report([...path, 'distinct'], 'different values are counted per statement or per session')
  if (budget && code !== undefined) report([...path, 'code'], 'code is counted per statement or per session')
}

/** Every kind must exist, and some kind of some protocol must have every fact that is asked for. */
function checkKinds(rule: Rule, protocols: readonly ProtocolName[], path: Path, report: Report): void {
  const { match, threshold } = rule
  if (match === undefined) return
  const every = [...new Set(protocols.flatMap((protocol) => Object.keys(VOCABULARIES[protocol].facts)))]
  for (const kind of listOf(match.kind)) {
    if (!every.includes(kind))
      report([...path, 'match', 'kind'], `no message of ${protocols.join(', ')} is called "${kind}"${suggestion(kind, every)}`)
  }
  const asked = (Object.keys(match) as (keyof Match)[]).filter((fact) => fact !== 'kind')
  const answers = protocols.map((protocol) => {
    const vocabulary = VOCABULARIES[protocol]
    // A threshold asks the statement whose results it counts.
    const kinds = threshold === undefined ? kindsOf(rule, protocol) : [...vocabulary.asking]
    return { protocol, facts: new Set(kinds.flatMap((kind) => [...(vocabulary.facts[kind] ?? [])])) }
  })
  for (const fact of asked) {
    if (answers.some(({ facts }) => facts.has(fact))) continue
    const of = match.kind === undefined || threshold !== undefined ? protocols.join(', ') : listOf(match.kind).join(', ')
    report([...path, 'match', fact], `no message of ${of} has this fact: the rule could never fire`, [
      [...path, 'on'],
      [...path, 'threshold'],
      [...path, 'match', 'kind'],
    ])
  }
  if (rule.on !== undefined || asked.length === 0 || answers.some(({ facts }) => asked.every((fact) => facts.has(fact)))) return
  report([...path, 'match'], 'no protocol has all of these facts: the rule could never fire')
}

function checkContradictions(match: Match, protocols: readonly ProtocolName[], path: Path, report: Report): void {
  const verbs = listOf(match.verb).map((verb) => verb.toUpperCase())
  const all = [
    ...(protocols.includes('postgres') ? VERBS : []),
    ...(protocols.includes('kubernetes') ? KUBERNETES_VERBS.map((verb) => verb.toUpperCase()) : []),
  ]
  for (const verb of verbs) {
    if (!all.some((known) => isVerb(known, [verb])))
      report([...path, 'verb'], `no statement has the verb "${verb}"${suggestion(verb, all)}`)
  }
  const never = (fact: keyof Match, why: string): void => report([...path, fact], `${why}: the rule could never fire`, [path])
  const only = (...allowed: string[]): boolean =>
    verbs.length > 0 && !verbs.some((verb) => isVerb(verb, allowed) || allowed.some((one) => isVerb(one, [verb])))
  for (const fact of ['has_where', 'where_trivial'] as const) {
    if (match[fact] !== undefined && only('SELECT', 'UPDATE', 'DELETE')) never(fact, `${verbs.join(', ')} has no WHERE`)
  }
  if (match.has_where === false && match.where_trivial === true) never('where_trivial', 'what has no WHERE has no trivial one')
  if (match.copy !== undefined && only('COPY')) never('copy', `${verbs.join(', ')} is no COPY`)
  if (
    match.copy?.direction === 'in' &&
    listOf(match.copy.target).length > 0 &&
    listOf(match.copy.target).every((target) => target === 'stdout')
  ) {
    never('copy', 'nothing is copied in from stdout')
  }
  if (
    match.copy?.direction === 'out' &&
    listOf(match.copy.target).length > 0 &&
    listOf(match.copy.target).every((target) => target === 'stdin')
  ) {
    never('copy', 'nothing is copied out to stdin')
  }
  if (match.ddl === false && verbs.length > 0 && verbs.every((verb) => DDL_VERBS.has(verb)))
    never('ddl', `${verbs.join(', ')} is always ddl`)
  if (match.writes === false && verbs.length > 0 && verbs.every((verb) => WRITE_VERBS.has(verb)))
    never('writes', `${verbs.join(', ')} always writes`)
  if (match.ddl === true && match.writes === false) never('writes', 'ddl always writes')
  if (match.multi === true && (match.statement_count?.max ?? 2) < 2) never('multi', 'one statement is not several')
  if (match.multi === false && (match.statement_count?.min ?? 1) > 1) never('multi', 'several statements are not one')
  if (match.limited === false && match.limit?.max !== undefined) never('limited', 'a limit of at most so many is a limit')
  for (const fact of ['limit', 'size', 'statement_count'] as const) {
    const range = match[fact]
    if (range?.min !== undefined && range.max !== undefined && range.min > range.max)
      never(fact, `${range.min} is more than ${range.max}`)
  }
  if (match.parse_ok === false) {
    const beside = (Object.keys(match) as (keyof Match)[]).filter((fact) => !['parse_ok', 'size', 'kind'].includes(fact))
    for (const fact of beside) never(fact, 'a statement that cannot be read has no such fact')
  }
  checkFunctions(match, path, report)
}

function checkFunctions(match: Match, path: Path, report: Report): void {
  const names = listOf(match.functions)
  const categories: readonly string[] = listOf(match.function_categories)
  if (categories.length === 0 || names.length === 0 || names.some((name) => name.includes('*') || name.startsWith('!'))) return
  if (names.every((name) => !categoriesOf(name).some((category) => categories.includes(category)))) {
    report([...path, 'functions'], `none of these is of category ${categories.join(', ')}: the rule could never fire`)
  }
}

/** Whether whoever fits `who` surely fits `except` as well. */
function covers(except: NonNullable<Rule['except']>, who: NonNullable<Rule['who']>): boolean {
  return (['kinds', 'groups', 'subjects'] as const).every((field) => {
    const out: readonly string[] = listOf(except[field])
    const named: readonly string[] = listOf(who[field])
    if (out.length === 0) return true
    const fits = field === 'subjects' ? globs(out) : (name: string) => out.includes(name)
    return named.length > 0 && named.every((name) => !name.startsWith('!') && fits(name))
  })
}

function checkTests(file: PolicyFile, report: Report): void {
  checkTestShapes(file.tests ?? [], report)
  const ids = rulesOf(file).map(({ rule: { id } }) => id)
  file.tests?.forEach((test, index) => {
    for (const id of test.expect.rules ?? []) {
      const bare = id.replace(/^shadow:/, '')
      if (!bare.startsWith('policy.') && !ids.includes(bare))
        report(['tests', index, 'expect', 'rules'], `there is no rule "${id}"${suggestion(bare, ids)}`, [['rules', '*', 'id']])
    }
  })
}
