import type { Facts } from '../../schemas/frame.ts'
import type { Match } from '../../schemas/policy.ts'
import { compileCondition, factsNamed } from './condition.ts'
import { viewsOf } from './http/paths.ts'
import { compileMatch, type Matches } from './match.ts'

const PATH = ['path', 'route'] as const satisfies readonly (keyof Match)[]

/** What a rule asks of a message's facts. */
export interface Asking {
  readonly fits: Matches
  /** Why a message may fit that could not be read for what is asked; undefined where all of it could. */
  unread(facts: Facts): string | undefined
}

/**
 * What a rule asks of a message's facts; the condition, which costs most, last. Of a request whose path servers may read in several ways, a rule that blocks or
 * holds fits where any of them does, and one that allows (`permits`) where all do; one that cannot be read fits what blocks or holds.
 */
export function compileAsked(match: Match, when: string | undefined, permits: boolean): Asking {
  const named = new Set<string>([...Object.keys(match), ...(when === undefined ? [] : factsNamed(when))])
  const fits = compileBoth(match, when, permits)
  if (!PATH.some((name) => named.has(name))) return { fits, unread: () => undefined }
  const blind = compileWithout(PATH, match, when, permits)
  return {
    fits: (facts, around, kind) => {
      const views = viewsOf(facts)
      if (typeof views === 'string') return !permits && blind(facts, around, kind)
      return permits ? views.every((view) => fits(view, around, kind)) : views.some((view) => fits(view, around, kind))
    },
    unread: (facts) => {
      const views = viewsOf(facts)
      return typeof views === 'string' ? views : undefined
    },
  }
}

function compileBoth(match: Match, when: string | undefined, permits: boolean): Matches {
  const fits = compileMatch(match, permits)
  if (when === undefined) return fits
  const condition = compileCondition(when)
  return (facts, around, kind) => fits(facts, around, kind) && condition(facts, kind, around.place)
}

/** The same, without asking for these facts. */
function compileWithout(names: readonly (keyof Match)[], match: Match, when: string | undefined, permits: boolean): Matches {
  const rest = Object.fromEntries(Object.entries(match).filter(([field]) => !names.some((name) => name === field)))
  const asks = when !== undefined && factsNamed(when).some((fact) => names.some((name) => name === fact))
  return compileBoth(rest, asks ? undefined : when, permits)
}
