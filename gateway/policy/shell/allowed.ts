import type { Facts } from '../../../schemas/frame.ts'
import type { Match } from '../../../schemas/policy.ts'
import { globs } from '../globs.ts'
import { listOf } from '../quantities.ts'
import { hostGlobs } from './hosts.ts'
import { hostOf, list, pair, programFits, redirection, type Test } from './match-shell.ts'
import { pathGlobs } from './overlap.ts'
import { literalOf } from './word.ts'

/** What of a text runs, or is reached by it. */
const REACHES = ['command', 'program', 'file', 'host', 'pipe', 'redirect'] as const satisfies readonly (keyof Match)[]

/**
 * As `shellTests`, of a rule that allows: what fits is let through whole, so all there is has to fit, and surely. What cannot be told of a text fits only
 * where the rule names that (`analysable`, `opaque`), and what it writes by a redirection where that is named (`redirect`, `file`).
 */
export function allowedTests(match: Match): Test[] {
  const tests: Test[] = []
  const reaches = REACHES.some((name) => match[name] !== undefined)
  if (reaches && match.analysable === undefined && match.opaque === undefined)
    tests.push((facts) => facts['analysable'] !== false)
  if (match.command !== undefined) tests.push(allOf('commands', globs(match.command)))
  if (match.redirect !== undefined) tests.push(redirectTest(match.redirect))
  else if (reaches && match.file === undefined) tests.push(writesNothing)
  if (match.pipe !== undefined) tests.push(allOf('pipes', globs(match.pipe)))
  if (match.opaque !== undefined) tests.push(allOf('opaque', globs(match.opaque)))
  if (match.program !== undefined) tests.push(allOf('programs', programFits(listOf(match.program))))
  if (match.file !== undefined) tests.push(pathTest(listOf(match.file), match.program !== undefined))
  if (match.host !== undefined) tests.push(hostTest(match.host, match.program !== undefined))
  return tests
}

function allOf(name: string, fits: (one: string) => boolean): Test {
  return (facts) => {
    const all = list(facts, name)
    return all.length > 0 && all.every(fits)
  }
}

/** `named`: which programs there may be is said beside; else each has to have a path that fits. */
function pathTest(patterns: readonly string[], named: boolean): Test {
  const fits = pathGlobs(patterns, true)
  return (facts) => {
    const paths = list(facts, 'paths').map(pair)
    const redirects = list(facts, 'redirects').map(redirection)
    const told = new Set(paths.map(([program]) => program))
    return (
      paths.length + redirects.length > 0 &&
      (named || list(facts, 'programs').every((program) => told.has(program))) &&
      paths.every(([, path]) => fits(path)) &&
      redirects.every(({ path }) => fits(path) || literalOf(path) === NOWHERE)
    )
  }
}

function hostTest(patterns: NonNullable<Match['host']>, named: boolean): Test {
  const fits = hostGlobs(patterns)
  return (facts) => {
    // Of egress, as of the rules that stop it.
    if (facts['listed'] !== undefined && !named) return typeof facts['host'] === 'string' && fits(facts['host'])
    const hosts = list(facts, 'hosts').map(hostOf)
    const told = new Set(hosts.map(({ program }) => program))
    return (
      hosts.length > 0 &&
      (named || list(facts, 'programs').every((program) => told.has(program))) &&
      hosts.every(({ host }) => host !== '*' && fits(host))
    )
  }
}

function redirectTest({ direction, path }: NonNullable<Match['redirect']>): Test {
  const fits = path === undefined ? undefined : pathGlobs(listOf(path), true)
  return (facts: Facts) => {
    const all = list(facts, 'redirects').map(redirection)
    // `<>` goes both ways.
    const way = (operator: string): boolean =>
      direction === undefined || (direction === 'in' ? operator === '<' : operator.startsWith('>'))
    return all.length > 0 && all.every(({ operator, path: to }) => way(operator) && (fits === undefined || fits(to)))
  }
}

const NOWHERE = '/dev/null'

function writesNothing(facts: Facts): boolean {
  return list(facts, 'redirects')
    .map(redirection)
    .every(({ operator, path }) => !operator.includes('>') || literalOf(path) === NOWHERE)
}
