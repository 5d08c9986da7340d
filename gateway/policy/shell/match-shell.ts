import type { Facts } from '../../../schemas/frame.ts'
import type { Match } from '../../../schemas/policy.ts'
import { type Fits, globs } from '../globs.ts'
import { listOf } from '../quantities.ts'
import { hostGlobs } from './hosts.ts'
import { pathGlobs } from './overlap.ts'
import { literalOf, readWords, showWord, type Word } from './word.ts'

/** What a rule may ask of a command text; which messages have one, their protocol says. */
export const SHELL_MATCHES = [
  'command',
  'program',
  'file',
  'redirect',
  'host',
  'pipe',
  'opaque',
  'network',
  'analysable',
  'dynamic_arguments',
  'background',
  'elevates',
  'parse_ok',
  'size',
] as const satisfies readonly (keyof Match)[]

export type Test = (facts: Facts) => boolean

/** The tests for a match's fields about command texts. `program`, `file` and `host` beside each other are about the same command. */
export function shellTests(match: Match): Test[] {
  const tests: Test[] = []
  if (match.command !== undefined) tests.push(commandTest(globs(match.command)))
  if (match.redirect !== undefined) tests.push(redirectTest(match.redirect))
  if (match.pipe !== undefined) tests.push(someOf('pipes', globs(match.pipe)))
  if (match.opaque !== undefined) tests.push(someOf('opaque', globs(match.opaque)))
  const program = match.program === undefined ? undefined : programFits(listOf(match.program))
  if (match.file !== undefined) tests.push(pathTest(pathGlobs(listOf(match.file)), program))
  if (match.host !== undefined) tests.push(hostTest(hostGlobs(match.host), program))
  if (program !== undefined && match.file === undefined && match.host === undefined) tests.push(someOf('programs', program))
  return tests
}

export function list(facts: Facts, name: string): readonly string[] {
  const value = facts[name]
  return Array.isArray(value) ? value : []
}

function someOf(name: string, fits: Fits): Test {
  return (facts) => list(facts, name).some(fits)
}

/** Each command by itself; the text as sent where it could not be read. */
function commandTest(fits: Fits): Test {
  return (facts) => {
    const commands = list(facts, 'commands')
    if (commands.length > 0) return commands.some(fits)
    return typeof facts['command'] === 'string' && fits(facts['command'])
  }
}

/** `curl` fits a program of that name anywhere; what is excluded is excluded only where the system keeps it, or by its path. */
export function programFits(patterns: readonly string[]): Fits {
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'))
  const inPlace = globs(patterns)
  if (wanted.length === 0) return inPlace
  const byName = globs(wanted)
  const excluded = globs(['*', ...patterns.filter((pattern) => pattern.startsWith('!'))])
  return (name) => excluded(name) && (byName(name) || byName(name.slice(name.lastIndexOf('/') + 1)))
}

export function pair(entry: string): readonly [program: string, value: Word] {
  const [program, value = []] = readWords(entry)
  return [literalOf(program) ?? showWord(program ?? []), value]
}

function pathTest(fits: (word: Word) => boolean, program: Fits | undefined): Test {
  return (facts) =>
    list(facts, 'paths').some((entry) => {
      const [name, path] = pair(entry)
      // A command's argument nobody knows is asked for by `dynamic_arguments`; of SFTP there is nothing else to ask for.
      const unknown = name === 'sftp' && path.every((piece) => piece.kind === 'any')
      return (program === undefined || program(name)) && (unknown || fits(path))
    }) ||
    (program === undefined && list(facts, 'redirects').some((entry) => fits(redirection(entry).path)))
}

/** A host that is not known may be any. */
function hostTest(fits: Fits, program: Fits | undefined): Test {
  return (facts) =>
    // Of egress, which tells what is listed, it is the request's own; where a forward leads is asked by `forward`.
    (program === undefined && facts['listed'] !== undefined && typeof facts['host'] === 'string' && fits(facts['host'])) ||
    list(facts, 'hosts')
      .map(hostOf)
      .some(({ program: name, host }) => (program === undefined || program(name)) && (host === '*' || fits(host)))
}

export function hostOf(entry: string): { readonly program: string; readonly host: string } {
  return { program: pair(entry)[0], host: entry.slice(entry.lastIndexOf(' ') + 1) }
}

function redirectTest({ direction, path }: NonNullable<Match['redirect']>): Test {
  const fits = path === undefined ? undefined : pathGlobs(listOf(path))
  return (facts) =>
    list(facts, 'redirects')
      .map(redirection)
      .some(({ operator, path: word }) => {
        const way = direction === undefined || (direction === 'in' ? operator.startsWith('<') : operator.includes('>'))
        return way && (fits === undefined || fits(word))
      })
}

export function redirection(entry: string): { readonly operator: string; readonly path: Word } {
  const operator = entry.slice(0, entry.indexOf(' '))
  return { operator, path: readWords(entry.slice(operator.length + 1))[0] ?? [] }
}
