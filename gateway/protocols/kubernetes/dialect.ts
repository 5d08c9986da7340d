import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Identity } from '../../../schemas/session.ts'
import { requestLine } from '../../../schemas/views/kubernetes.ts'
import type { Credential } from '../../credentials/credential.ts'
import { kubernetesFacts } from '../../policy/kubernetes/request-info.ts'
import type { Dialect, Reading } from '../http/dialect.ts'
import type { Fields } from '../http/fields.ts'
import { type Headers, type RequestHead, without } from '../http/head.ts'
import { injected } from '../http/injected.ts'
import { typeOf } from '../http/media.ts'
import { type Holds, SecretFields } from './secret-fields.ts'
import { secretPatchProblem } from './secret-patch.ts'
import { errorStatus, refusalStatus } from './status.ts'
import { codecOf, execFacts, kindOf, understood, upgrades } from './upgrades.ts'

/** A front proxy speaks for others by these, and the gateway is none that a client may use so. */
const FRONT_PROXY = /^x-remote-/i
const IMPERSONATE = /^impersonate-/i
/** Encodings in which no value can be found, and the one that a server may only be asked for. */
const UNREADABLE = /protobuf|cbor/i
const NOT_ASKED_FOR = /protobuf|cbor|yaml/i
const JSON_PATCH = 'application/json-patch+json'

/** Kubernetes is HTTP whose requests, objects and refusals mean something. */
export const KUBERNETES: Dialect = {
  protocol: 'kubernetes',
  read,
  refusal: refusalStatus,
  error: errorStatus,
  proof,
  upgrades,
  codec: (upgraded) => codecOf(upgraded, kindOf(upgraded.facts)),
}

function read(head: RequestHead, named: Fields): Reading {
  const about = factsOf(head)
  const first = about(undefined)
  const { verb, resource, command } = first
  const kind = kindOf(first)
  const fields = new SecretFields(named, holdsOf(first))
  const asked = verb === 'patch' && holdsOf(first) === 'secrets' ? new SecretFields(named, 'patches') : fields
  return {
    kind,
    headers: understood(passed(head), kind),
    ...(typeof command === 'string' ? { command: requestLine({ kind, facts: first }) ?? command } : {}),
    // By WebSocket or, where that is refused, by SPDY: it is the same that is asked for.
    ...(kind === 'request' ? {} : { binding: Buffer.from(sorted(head.target)) }),
    fields: asked,
    // Where it turns out to be none, a Secret is masked whole and everything else read as text. One that says no type is taken for JSON.
    ...(asked.unreadable !== undefined || NOT_ASKED_FOR.test(typeOf(head.headers)) ? { media: 'json' as const } : {}),
    answer: {
      fields,
      media: (media, type) => {
        if (UNREADABLE.test(type) && !isOpenApi(head.target))
          throw new ApplianceError('TARGET_REFUSED', `the target answers in ${type}, which cannot be looked into`)
        // One object a line, and the last may be long in coming.
        if (verb === 'watch' && media === 'json') return 'events'
        // Whatever it calls itself: what turns out to be no JSON is masked whole.
        if (fields.unreadable !== undefined && media !== 'events') return 'json'
        return resource === 'pods/log' && media === 'text' ? 'live' : media
      },
    },
    facts: about,
  }
}

function factsOf(head: RequestHead): (body: Uint8Array | undefined) => Facts {
  const contentType = typeOf(head.headers)
  const malformed = head.headers.some(([name]) => IMPERSONATE.test(name))
    ? 'Impersonate headers are not passed on: the gateway decides in whose name a request is made'
    : undefined
  return (body) => {
    const asked = kubernetesFacts({ method: head.method, target: head.target, contentType, body })
    const facts = { ...asked, ...execFacts(kindOf(asked), head.target) }
    const told = (holdsOf(facts) === 'secrets' ? secretProblem(contentType, body) : undefined) ?? malformed
    return told === undefined ? facts : { ...facts, malformed: told }
  }
}

function secretProblem(contentType: string, body: Uint8Array | undefined): string | undefined {
  if (UNREADABLE.test(contentType)) return `a Secret in ${contentType} cannot be looked into: send it in JSON`
  return contentType === JSON_PATCH ? secretPatchProblem(body) : undefined
}

function sorted(target: string): string {
  const mark = target.indexOf('?')
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1))
  // Words of a command keep their order.
  query.sort()
  return `${mark === -1 ? target : target.slice(0, mark)}?${query.toString()}`
}

/** Whatever calls itself a Secret, of whichever group. */
function holdsOf({ resource }: Facts): Holds {
  if (resource === 'serviceaccounts/token') return 'tokens'
  return typeof resource === 'string' && /^secrets(\/|$)/.test(resource) ? 'secrets' : 'objects'
}

/** The server is asked for JSON, which is YAML as well, and for tables of it. */
function passed({ headers, target }: RequestHead): Headers {
  const asked = headers.filter(([name]) => name.toLowerCase() === 'accept')
  const others = without(headers, new Set(['accept'])).filter(([name]) => !FRONT_PROXY.test(name))
  // What the API looks like is nobody's secret, and older clients read it in one form only.
  if (isOpenApi(target)) return [...others, ...asked]
  const types = asked.flatMap(([, value]) => value.split(',')).filter((type) => type.trim() !== '' && !NOT_ASKED_FOR.test(type))
  const accept = types.map((type) => type.trim()).join(',')
  return [...others, ['accept', accept === '' || accept === '*/*' ? 'application/json' : accept]]
}

function isOpenApi(target: string): boolean {
  return /^\/openapi\/v[23](?:[/?]|$)/.test(target)
}

/** The gateway's own, and where that is configured the name of the one who asks: the cluster's rules and audit log then know it. */
function proof(credential: Credential, { subject, groups }: Identity): Headers {
  const own = injected(credential)
  if (credential.impersonate === undefined) return own
  const { prefix = '' } = credential.impersonate
  // `system:masters` and its like are the cluster's own: nobody becomes one of them by what an issuer says.
  if (isSystem(prefix + subject))
    throw new ApplianceError('TARGET_REFUSED', `${subject} is a name that only the cluster itself gives`)
  const names = groups.map((group) => prefix + group).filter((group) => !isSystem(group))
  return [...own, ['Impersonate-User', prefix + subject], ...names.map((group) => ['Impersonate-Group', group] as const)]
}

function isSystem(name: string): boolean {
  return name.startsWith('system:')
}
