import { createHash } from 'node:crypto'
import { DETECTORS, type DetectorKind, type DetectorName, type Finding, type FindingsConfig } from '../../schemas/findings.ts'
import { type Draft, KEPT, tableOf } from './detector.ts'
import { WEEKLY } from './detectors.ts'

/** A finding as the catalog keeps it; what people made of it stands elsewhere. */
export type Weighed = Omit<Finding, 'state' | 'dispositions' | 'hidden'> & { readonly sessionIds: readonly string[] }

/** Whose pages name the finding; more are counted. */
const MAX_SESSIONS = 1_000
/** Crockford's, without letters that are read as digits. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Gives a draft its name, weight and hash. */
export function weighed(
  name: DetectorName,
  draft: Draft,
  params: Finding['params'],
  week: Date,
  config: FindingsConfig,
): Weighed {
  const kind: DetectorKind = DETECTORS[name]
  const { family, target, object, value, threshold, unit, summary, baseline, coverage, contributions, rest } = draft
  const addends = addendsOf(kind, draft, config)
  const score = 1 - addends.reduce((left, { weight }) => left * (1 - weight), 1)
  const [first] = contributions
  const place = WEEKLY.has(name) ? week.toISOString() : `${first?.session} ${first?.frame}`
  const sessions = new Set([...contributions.map(({ session }) => session), ...(rest?.sessions ?? [])])
  const sessionIds = [...sessions].slice(0, MAX_SESSIONS)
  const times = [...contributions.map(({ at }) => at), ...(rest === undefined ? [] : [rest.to])].sort()
  return {
    id: idOf([name, kind.version, family, target, object, place]),
    detector: name,
    code: kind.code,
    version: kind.version,
    title: kind.title,
    severity: score >= 0.75 ? 'high' : score >= 0.5 ? 'medium' : 'low',
    score: Math.round(score * 1000) / 1000,
    family,
    target,
    targets: [...new Set([target, ...contributions.map((each) => each.target)])],
    object,
    from: times[0] ?? week.toISOString(),
    to: times.at(-1) ?? week.toISOString(),
    summary,
    sessions: sessions.size,
    attack: [...kind.attack],
    value,
    threshold,
    unit,
    params,
    addends,
    baseline,
    coverage,
    contributions: contributions.slice(0, KEPT),
    left: Math.max(0, contributions.length - KEPT) + (rest?.count ?? 0),
    hash: createHash('sha256')
      .update(
        JSON.stringify([
          name,
          kind.version,
          params,
          family,
          target,
          object,
          value,
          threshold,
          baseline,
          coverage,
          contributions,
          rest?.count ?? 0,
        ]),
      )
      .digest('hex'),
    sessionIds,
  }
}

function addendsOf(kind: DetectorKind, { value, threshold, target, object }: Draft, config: FindingsConfig): Finding['addends'] {
  const addends = [{ why: kind.title.toLowerCase(), weight: kind.weight }]
  // Of what counts from the first one on, how many there are says little.
  const times = threshold > 1 ? value / threshold : 1
  if (times >= 1.5)
    addends.push({ why: `${times.toFixed(1)} times the threshold`, weight: rounded(Math.min(0.5, 0.15 * Math.log2(times))) })
  const listed = tableOf(config, target, object)
  if (listed?.sensitive === true) addends.push({ why: 'the table is marked sensitive', weight: 0.3 })
  return addends
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

function idOf(parts: readonly unknown[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  return `F-${[...digest.subarray(0, 10)].map((byte) => LETTERS[byte & 31]).join('')}`
}
