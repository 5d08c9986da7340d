import type { Facts } from '../../schemas/frame.ts'
import type { Match } from '../../schemas/policy.ts'
import { compileCondition, factsNamed } from './condition.ts'
import { viewsOf } from './http/paths.ts'
import { compileMatch, type Matches } from './match.ts'

/** What of a body or query says what is called. */
const CALLS = ['rpc_method', 'tool', 'graphql'] as const satisfies readonly (keyof Match)[]
const PATH = ['path', 'route'] as const satisfies readonly (keyof Match)[]

/** What a rule asks of a message's facts. */
interface Asking {
  readonly fits: Matches
  /** Why a message may fit that could not be read for what is asked; undefined where all of it could. */
  unread(facts: Facts): string | undefined
}

/**
 * What a rule asks of a message's facts; the condition, which costs most, last. Of a request whose path servers may read in several ways, a rule that blocks or
 * holds fits where any of them does, and one that allows (`permits`) where all do. What cannot be read for what it asks fits a rule that blocks or holds.
 */
export function compileAsked(match: Match, when: string | undefined, permits: boolean): Asking {
  const named = new Set<string>([...Object.keys(match), ...(when === undefined ? [] : factsNamed(when))])
  const asks = (names: readonly string[]): boolean => names.some((name) => named.has(name))
  const calls = asks(CALLS) ? compilePaths(match, when, { permits, without: CALLS }) : undefined
  const paths = asks(PATH) ? compilePaths : compileWithout
  const fits = paths(match, when, { permits, without: [] })
  const unread = (facts: Facts): string | undefined => {
    if (calls !== undefined && typeof facts['unread_calls'] === 'string') return facts['unread_calls']
    const views = asks(PATH) ? viewsOf(facts) : undefined
    return typeof views === 'string' ? views : undefined
  }
  if (calls === undefined) return { fits, unread }
  return {
    fits: (facts, around, kind) =>
      typeof facts['unread_calls'] === 'string' ? !permits && calls(facts, around, kind) : fits(facts, around, kind),
    unread,
  }
}

interface How {
  readonly permits: boolean
  /** What is not asked. */
  readonly without: readonly (keyof Match)[]
}

function compilePaths(match: Match, when: string | undefined, { permits, without }: How): Matches {
  const fits = compileWithout(match, when, { permits, without })
  const blind = compileWithout(match, when, { permits, without: [...without, ...PATH] })
  return (facts, around, kind) => {
    const views = viewsOf(facts)
    if (typeof views === 'string') return !permits && blind(facts, around, kind)
    return permits ? views.every((view) => fits(view, around, kind)) : views.some((view) => fits(view, around, kind))
  }
}

function compileBoth(match: Match, when: string | undefined, permits: boolean): Matches {
  const fits = compileMatch(match, permits)
  if (when === undefined) return fits
  const condition = compileCondition(when)
  return (facts, around, kind) => fits(facts, around, kind) && condition(facts, kind, around.place)
}

function compileWithout(match: Match, when: string | undefined, { permits, without }: How): Matches {
  const left = (name: string): boolean => without.some((each) => each === name)
  const rest = Object.fromEntries(Object.entries(match).filter(([field]) => !left(field)))
  return compileBoth(rest, when === undefined || factsNamed(when).some(left) ? undefined : when, permits)
}
