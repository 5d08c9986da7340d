import { DETECTORS, type DetectorName, type FindingsConfig, type InlineName } from '../../schemas/findings.ts'
import type { Rule } from '../../schemas/policy.ts'

/** Spans of S1, as budgets. The week is the last seven days, where the detector takes calendar weeks. */
const SPANS = [
  { window: '1h', name: 'hour', param: 'rowsHour' },
  { window: '24h', name: 'day', param: 'rowsDay' },
  { window: '168h', name: 'week', param: 'rowsWeek' },
] as const

/**
 * Detectors that act while there is still something to hold back: rules of the policy, with the detectors' own numbers, so that what is held or cut
 * at the row is what the finding tells of afterwards. Their ids begin with `finding.`.
 */
export function inlineRules(config: FindingsConfig): readonly Rule[] {
  return (Object.keys(config.inline ?? {}) as InlineName[]).flatMap((name) => {
    const inline = config.inline?.[name]
    if (inline === undefined) return []
    const { action, kinds, approval } = inline
    const common = {
      action,
      reason: DETECTORS[name].title,
      ...(kinds === undefined ? {} : { who: { kinds: [...kinds] } }),
      ...(action === 'hold' && approval !== undefined ? { approval } : {}),
    }
    return RULES[name](paramsOf(config, name), config).map(({ id, ...own }) => ({
      id: `finding.${name}${id}`,
      ...common,
      ...own,
    }))
  })
}

type Part = Pick<Rule, 'id' | 'on' | 'match' | 'targets' | 'threshold'>

const RULES: Readonly<Record<InlineName, (params: Readonly<Record<string, number>>, config: FindingsConfig) => readonly Part[]>> =
  {
    'large-pull': ({ rows = 0, bytes = 0 }) => [{ id: '', threshold: { rows, bytes, per: 'statement' } }],
    'stitched-rows': (params, config) =>
      SPANS.flatMap(({ window, name, param }): Part[] => {
        const threshold = { rows: params[param] ?? 0, per: 'principal', window } as const
        const targets = [...new Set((config.tables ?? []).map(({ target }) => target))]
        // Without tables that somebody cares about, everything counts together.
        if (targets.length === 0) return [{ id: `.${name}`, threshold }]
        return targets.map((target) => ({
          id: `.${name}.${target}`,
          on: 'postgres',
          targets: { names: target },
          match: { relations: (config.tables ?? []).flatMap((each) => (each.target === target ? [each.table] : [])) },
          threshold,
        }))
      }),
    'bulk-verbs': ({ rows = 0, bytes = 0 }) => [
      { id: '', on: 'postgres', match: { copy: { direction: 'out' } }, threshold: { rows, bytes, per: 'statement' } },
    ],
    'masked-sweep': ({ masked = 0 }) => [{ id: '', threshold: { distinct: masked, per: 'session' } }],
  }

function paramsOf({ detectors = {} }: FindingsConfig, name: DetectorName): Readonly<Record<string, number>> {
  const own = detectors[name]
  return { ...DETECTORS[name].params, ...(own === false ? {} : own) }
}
