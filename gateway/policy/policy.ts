import { createHash } from 'node:crypto'
import { PolicyFile } from '../../schemas/policy.ts'
import { type Identity, samePerson, type Target } from '../../schemas/session.ts'
import { CODE_NAME, DEFAULT_RULES, ENTITY_NAMES, type EntityName, type MaskingRules } from '../masking/rules.ts'
import { openYaml } from '../yaml.ts'
import type { Budgets } from './budgets.ts'
import { checkPolicy, type PolicyContext } from './check.ts'
import { type ColumnLabels, columnLabels } from './columns.ts'
import { conditionPlace } from './condition-facts.ts'
import { globs } from './globs.ts'
import { inlineRules } from './inline-findings.ts'
import type { Judge } from './judge.ts'
import { rulesOf } from './packs/index.ts'
import { PolicyPatterns } from './patterns.ts'
import { type CompiledRule, compileRule, compileWho, holdOf } from './rule.ts'
import { SessionJudge } from './session-judge.ts'
import { Counter } from './threshold.ts'
import { VOCABULARIES } from './vocabulary.ts'

export type { ColumnLabel, ColumnLabels } from './columns.ts'

/** A policy file, read, checked and ready to judge. Immutable; one per process and version of the file. */
export interface Policy {
  /** SHA-256 (hex) of the content, whatever its layout, order of keys and comments. */
  readonly hash: string
  /** What was hashed: the content as JSON with its keys in order and the rules of its packs written out. */
  readonly text: string
  readonly file: string
  /** As it stands in the file. */
  readonly content: PolicyFile
  /** The rules' own examples, for `sallyport policy test`. */
  readonly tests: NonNullable<PolicyFile['tests']>
  /** Who has to approve another policy in place of this one. */
  readonly activation: { readonly groups: readonly string[]; readonly count: number } | undefined
  /** A new session's judge, its counters at zero, or in place of `before`, going on from there. Throws where a rule that applies needs a clock and there is none. */
  judge(identity: Identity, target: Target, outside?: Outside, before?: Judge): Judge
  /** What the content detectors do for this identity; values that are `known` to be secret are masked wherever they stand. */
  masking(identity: Identity, known?: readonly string[]): MaskingRules
  /** Which columns carry labelled data for this identity. */
  columns(identity: Identity): ColumnLabels
  /** Where a table named without its schema is looked for. */
  readonly searchPath: readonly string[]
}

/** What a judge may ask beside the messages themselves. */
export interface Outside {
  /** Ms since 1970, UTC. */
  readonly now?: () => number
  /** What identities were given within windows, by every process. */
  readonly budgets?: Budgets
}

/** Reads a policy. Throws ApplianceError POLICY_INVALID naming every mistake by line, rules that could never fire among them. */
export function compilePolicy(text: string, file: string, context: PolicyContext = {}): Policy {
  const yaml = openYaml(text, file, PolicyFile, 'POLICY_INVALID')
  checkPolicy(yaml, context)
  yaml.finish()
  const content = yaml.value
  const all = [...rulesOf(content).map(({ rule }) => rule), ...inlineRules(context.findings ?? {})]
  const rules = all.map((rule) => compileRule(rule, content))
  const defaults = content.defaults ?? {}
  const patterns = new PolicyPatterns(content, formsOf(content))
  const searchPath = defaults.search_path ?? ['public']
  // With the packs' rules written out: another version of a pack is another policy.
  const canonicalText = canonical({ ...content, packs: undefined, rules: all })
  return {
    hash: createHash('sha256').update(canonicalText).digest('hex'),
    text: canonicalText,
    file,
    content,
    tests: content.tests ?? [],
    activation: content.activation === undefined ? undefined : holdOf(content.activation.approval, content),
    judge: (identity, target, outside = {}, before = undefined) =>
      new SessionJudge(
        {
          rules: rules.filter((rule) => rule.applies(identity, target)),
          place: conditionPlace(identity, target),
          now: outside.now ?? clockless,
          counter: counterFor(identity, outside),
          vocabulary: VOCABULARIES[target.protocol],
          kindsOf: (rule: CompiledRule) => rule.kinds(target.protocol),
          sql: target.protocol === 'postgres',
          who: identity.kind,
          scope: identity.scope?.verbs,
          shadow: content.mode === 'shadow',
          searchPath,
          otherwise: defaults.action ?? 'allow',
          unparsable: defaults.unparsable ?? 'block',
          maskedWrite: defaults.masked_write ?? 'block',
          hold: holdOf(undefined, content),
        },
        before instanceof SessionJudge ? before : undefined,
      ),
    masking: (identity, known) => maskingRules(content, patterns, identity, known),
    columns: (identity) => columnLabels(content, identity),
    searchPath,
  }
}

function counterFor({ subject, principal }: Identity, { budgets }: Outside): (rule: CompiledRule) => Counter {
  return ({ id, threshold }) => {
    if (threshold === undefined) throw new Error('only thresholds count')
    if (!('windowMs' in threshold)) return new Counter(threshold)
    if (budgets === undefined) throw new Error('a budget per identity needs others to share it with')
    const { windowMs, rows, bytes, per } = threshold
    const who = per === 'principal' ? `person ${samePerson(principal ?? subject)}` : samePerson(subject)
    return new Counter(threshold, budgets.passed({ rule: id, subject: who, windowMs, limit: { rows, bytes } }))
  }
}

function clockless(): never {
  throw new Error('a rule with hours needs a clock')
}

/** By entity, and by rule. A label's own form is its columns'; it is the entity's as well, where neither a detector nor a label before it has one. */
function formsOf(file: PolicyFile): MaskingRules['forms'] {
  const labelled = Object.entries(file.labels ?? {}).flatMap(([id, { entity, mask }]) =>
    mask === undefined ? [] : [{ id, entity, mask }],
  )
  const detected = Object.entries(file.detectors ?? {}).flatMap(([entity, detector]) =>
    typeof detector === 'object' && detector.form !== undefined ? [[entity, detector.form] as const] : [],
  )
  return {
    ...DEFAULT_RULES.forms,
    ...Object.fromEntries(labelled.toReversed().map(({ entity, mask }) => [entity, mask])),
    ...Object.fromEntries(detected),
    ...Object.fromEntries(labelled.map(({ id, mask }) => [`label:${id}`, mask])),
  }
}

function maskingRules(
  file: PolicyFile,
  patterns: PolicyPatterns,
  identity: Identity,
  known: readonly string[] = [],
): MaskingRules {
  const exempt = (file.exempt ?? []).filter(({ who, detectors }) => detectors !== undefined && compileWho(who)(identity))
  const free = exempt.map(({ detectors }) => globs(detectors ?? []))
  const actions = ENTITY_NAMES.map((entity): [EntityName, 'mask' | 'ignore'] => {
    if (free.some((fits) => fits(entity))) return [entity, 'ignore']
    return [entity, actionOf(file.detectors?.[entity]) ?? DEFAULT_RULES.detectors[entity]]
  })
  return {
    detectors: Object.fromEntries(actions) as Record<EntityName, 'mask' | 'ignore'>, // every entity is in the list
    forms: patterns.forms,
    code: actionOf(file.detectors?.[CODE_NAME]) === 'mask' && !free.some((fits) => fits(CODE_NAME)),
    own: patterns.without((id) => free.some((fits) => fits(id)), known),
  }
}

function actionOf(detector: NonNullable<PolicyFile['detectors']>[string] | undefined): 'mask' | 'ignore' | undefined {
  return typeof detector === 'object' ? detector.action : detector
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, child: unknown) =>
    typeof child === 'object' && child !== null && !Array.isArray(child)
      ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1)))
      : child,
  )
}
