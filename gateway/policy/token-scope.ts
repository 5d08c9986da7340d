import { METHODS } from 'node:http'
import type { Facts } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { KUBERNETES_VERBS } from './kubernetes/request-info.ts'
import { isVerb } from './match.ts'
import { suggestion } from './report.ts'
import type { Hold } from './rule.ts'
import type { Matched } from './settle.ts'
import { VERBS } from './sql/statements.ts'
import { VOCABULARIES } from './vocabulary.ts'

/** What clients say around what they ask for. What a prepared statement does is asked again when it is executed. */
const AROUND = new Set(
  'BEGIN,COMMIT,ROLLBACK,SAVEPOINT,RELEASE,ROLLBACK TO,SHOW,SET,RESET,DISCARD,DEALLOCATE,CLOSE,FETCH,PREPARE,EXECUTE'.split(','),
)

/** Messages of SQL: one without a verb asks for nothing. */
const SQL = new Set(['query', 'parse', 'execute'])

/** What clients of Kubernetes read to find out how to ask. */
const DISCOVERY = /^\/(api|apis|openapi|version)(\/|$)/

/**
 * The block of what a token does not open: every verb of a message has to be among those it was made for. Verbs are those of SQL
 * statements, HTTP methods, of Kubernetes also those of RBAC, or else the kind of message (`EXEC`, `SHELL`, `FILE`). Stands whatever the
 * policy's mode.
 */
export function outOfScope(scope: readonly string[] | undefined, kind: string, facts: Facts, hold: Hold): readonly Matched[] {
  if (scope === undefined) return []
  if (kind === 'request' && isDiscovery(facts)) return []
  const asked = verbsOf(kind, facts)
  const wrong = asked.find((names) => !names.some((verb) => AROUND.has(verb) || isVerb(verb, scope)))
  // Nothing is asked by an empty statement; by one that cannot be read, who knows what.
  if (wrong === undefined && (asked.length > 0 || facts['parse_ok'] === true)) return []
  return [
    {
      id: 'policy.token-scope',
      act: 'block',
      reason: `the token shown is for ${scope.join(', ')} alone`,
      hint: 'ask for a token that is made for this: sallyport tokens create --verb',
      hold,
    },
  ]
}

/** What is wrong with the scope of a token: a verb that nothing of these protocols has opens nothing, which its maker did not mean. */
export function scopeProblem(scope: readonly string[], protocols: Iterable<ProtocolName>): string | undefined {
  const known = [...new Set([...protocols].flatMap((protocol) => [...verbsKnown(protocol)]))]
  const odd = scope.find((verb) => !known.some((each) => isVerb(each, [verb])))
  return odd === undefined
    ? undefined
    : `nothing that may be asked for has the verb ${JSON.stringify(odd)}${suggestion(odd, known)}`
}

function verbsKnown(protocol: ProtocolName): readonly string[] {
  const kinds = [...VOCABULARIES[protocol].asking]
    .filter((kind) => !SQL.has(kind) && kind !== 'request')
    .map((kind) => kind.toUpperCase())
  if (protocol === 'postgres') return [...VERBS, ...kinds]
  if (protocol === 'kubernetes') return [...METHODS, ...KUBERNETES_VERBS.map((verb) => verb.toUpperCase()), ...kinds]
  return protocol === 'http' || protocol === 'egress' ? [...METHODS, ...kinds] : kinds
}

/** All that is asked for; each by the names it has, of which one has to be in the scope. */
function verbsOf(kind: string, facts: Facts): readonly (readonly string[])[] {
  const { verbs, verb, method, upgrade } = facts
  if (Array.isArray(verbs)) return verbs.map((each) => [each])
  if (SQL.has(kind)) return []
  // An exec is a GET or a POST, as the client likes: only its kind tells what it is.
  if (kind !== 'request' || typeof method !== 'string') return [[kind.toUpperCase()]]
  if (typeof verb === 'string') return [[verb.toUpperCase(), method]]
  // What is then said in it may do anything, and not all of it is asked for again.
  return typeof upgrade === 'string' ? [[method], ['WS-CALL']] : [[method]]
}

function isDiscovery({ verb, resource, path }: Facts): boolean {
  return verb === 'get' && resource === undefined && typeof path === 'string' && DISCOVERY.test(path)
}
