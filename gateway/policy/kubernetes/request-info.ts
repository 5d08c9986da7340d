import type { Facts } from '../../../schemas/frame.ts'
import { bytesHoldMask } from '../../masking/sentinel.ts'
import { Query, queryOf } from './query.ts'

/** What a request asks of the API server, in the words of RBAC (Kubernetes docs, "Authorization", request attributes). */
export interface RequestInfo {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; of a path that is no resource the method in lower case. */
  readonly verb: string
  /** `pods`, with its subresource `pods/exec`; undefined for paths that are none (`/version`, `/apis`, `/openapi/v3`). */
  readonly resource?: string
  /** Empty for the core group. */
  readonly group?: string
  /** `*`: all of them. Undefined where the resource has none. */
  readonly namespace?: string
  /** `*`: all of them, or one that cannot be told. */
  readonly name?: string
}

/** Of resources, and of paths that are none. */
export const KUBERNETES_VERBS = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'post',
  'put',
  'head',
  'options',
] as const

/** Of the cluster's own groups these belong to no namespace, so that a list of them is no list over all namespaces; what is not known counts as one. */
const CLUSTER_SCOPED = new Set([
  'apiservices',
  'certificatesigningrequests',
  'clusterrolebindings',
  'clusterroles',
  'clustertrustbundles',
  'componentstatuses',
  'csidrivers',
  'csinodes',
  'customresourcedefinitions',
  'deviceclasses',
  'flowschemas',
  'ingressclasses',
  'ipaddresses',
  'mutatingwebhookconfigurations',
  'namespaces',
  'nodes',
  'persistentvolumes',
  'priorityclasses',
  'prioritylevelconfigurations',
  'resourceslices',
  'runtimeclasses',
  'selfsubjectaccessreviews',
  'selfsubjectreviews',
  'selfsubjectrulesreviews',
  'servicecidrs',
  'storageclasses',
  'subjectaccessreviews',
  'tokenreviews',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'validatingwebhookconfigurations',
  'volumeattachments',
  'volumeattributesclasses',
])

/** The namespace's own (RequestInfo of k8s.io/apiserver). */
const OF_NAMESPACES = new Set(['status', 'finalize'])

const NOTHING = new Query([])

/**
 * Reads method and path as the API server does; undefined for a path that two servers may read differently. Of a query that they may,
 * nothing is looked at: nobody lets it through.
 */
export function requestInfo(method: string, target: string): RequestInfo | undefined {
  const mark = target.indexOf('?')
  const query = queryOf(target) ?? NOTHING
  const parts = partsOf(mark === -1 ? target : target.slice(0, mark))
  if (parts === undefined) return undefined
  const other: RequestInfo = { verb: method.toLowerCase() }
  const [root, ...rest] = parts
  if (root !== 'api' && root !== 'apis') return other
  const group = root === 'api' ? '' : rest.shift()
  const [version, ...of] = rest
  if (group === undefined || version === undefined || of.length === 0) return other
  const legacy = of[0] === 'watch' || of[0] === 'proxy' ? of.shift() : undefined
  let namespace: string | undefined
  if (of[0] === 'namespaces' && of[1] !== undefined) {
    namespace = of[1]
    if (of.length > 2 && !OF_NAMESPACES.has(of[2] ?? '')) of.splice(0, 2)
  }
  const [plural, named, subresource] = of
  if (plural === undefined) return other
  // What was a verb in the path is a tunnel by another name.
  const sub = legacy === 'proxy' ? 'proxy' : subresource
  // One that is named is read whole, whatever the query says, but for where the path says otherwise.
  const watches = legacy === 'watch' || (named === undefined && query.asks('watch'))
  const verb = verbOf(method, named, watches)
  const many = verb === 'list' || verb === 'watch' || verb === 'deletecollection'
  const name = named ?? (many ? (selectedName(query.all('fieldSelector')) ?? '*') : undefined)
  const all = namespace === undefined && many && named === undefined && !isClusterScoped(group, plural)
  return {
    verb,
    resource: sub === undefined ? plural : `${plural}/${sub}`,
    group,
    ...(all ? { namespace: '*' } : namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  }
}

/** Other groups have resources of the same names in namespaces (`nodes.management.cattle.io`). */
function isClusterScoped(group: string, plural: string): boolean {
  return (group === '' || group.endsWith('.k8s.io')) && CLUSTER_SCOPED.has(plural)
}

function verbOf(method: string, name: string | undefined, watches: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (watches) return 'watch'
      return name === undefined ? 'list' : 'get'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete'
    default:
      return method.toLowerCase()
  }
}

/** Of one selector: of several the server takes one of them, and nobody has to know which; nor what a backslash in one hides. */
function selectedName(selectors: readonly string[]): string | undefined {
  const [only] = selectors
  return selectors.length === 1 && only?.includes('\\') === false
    ? /(?:^|,)metadata\.name={1,2}([a-z0-9.-]+)(?:,|$)/.exec(only ?? '')?.[1]
    : undefined
}

/** Decoded, as the server splits it. Undefined where parts are empty, climb, hide a slash, or have a `#`. */
function partsOf(path: string): string[] | undefined {
  if (path === '/') return []
  const parts: string[] = []
  for (const encoded of path.replace(/^\//, '').replace(/\/$/, '').split('/')) {
    let part: string
    try {
      part = decodeURIComponent(encoded)
    } catch {
      return undefined
    }
    // Bytes beyond ASCII, as they are, some take for UTF-8 and some do not; a `#` some take for the path's end.
    if (/[^\x21\x22\x24-\x7e]/.test(encoded) || part === '' || part === '.' || part === '..' || /[/\\\0]/.test(part))
      return undefined
    parts.push(part)
  }
  return parts
}

/** Whether a path that is no resource holds one: of an API server behind this one. */
function leadsThrough(path: string): boolean {
  const [root, ...rest] = partsOf(path) ?? []
  if (root === 'api' || root === 'apis' || root === 'openapi') return false
  return rest.some(
    (part, at) => (part === 'api' && /^v\d/.test(rest[at + 1] ?? '')) || (part === 'apis' && rest[at + 1] !== undefined),
  )
}

/** A request as its rules see it. */
export interface KubernetesAsked {
  readonly method: string
  readonly target: string
  readonly contentType: string
  /** Undefined where it follows in parts. */
  readonly body: Uint8Array | undefined
}

/** What policy and search may look at in a request. */
export function kubernetesFacts({ method: said, target, contentType, body }: KubernetesAsked): Facts {
  const method = said.toUpperCase()
  const info = requestInfo(method, target)
  const query = queryOf(target)
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const about = {
    method,
    path,
    query: (query ?? NOTHING).names.slice(0, MAX_NAMES),
    content_type: contentType,
    ...(query === undefined ? { malformed: 'the query can be read in more than one way' } : {}),
    ...(body === undefined ? {} : { size: body.length }),
  }
  if (info === undefined) return { ...about, malformed: 'the path can be read in more than one way' }
  if (leadsThrough(path))
    return { ...about, malformed: 'the path leads through another server to an API server: have `path` say so of its target' }
  const { verb, resource, group, namespace, name } = info
  if (resource === undefined) return { ...about, verb }
  const writes = verb === 'create' || verb === 'update' || verb === 'patch'
  const named = name ?? (writes ? (nameIn(body) ?? '*') : undefined)
  return {
    ...about,
    verb,
    resource,
    api_group: group ?? '',
    ...(namespace === undefined ? {} : { namespace }),
    ...(named === undefined ? {} : { name: named }),
    ...(writes && body !== undefined && holdsMask(body) ? { masked_write: true } : {}),
  }
}

const MAX_NAMES = 100
const MAX_PARSED_BYTES = 1024 * 1024

/** Of an object that is made under its own name. */
function nameIn(body: Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length > MAX_PARSED_BYTES) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString())
    if (typeof value !== 'object' || value === null || !('metadata' in value)) return undefined
    const { metadata } = value
    if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return undefined
    return typeof metadata.name === 'string' && metadata.name !== '' ? metadata.name.slice(0, 253) : undefined
  } catch {
    return undefined
  }
}

/** `[MASKED:` at the beginning of a value of a Secret. */
const ENCODED_MASK = Buffer.from('[MASKED:').toString('base64').slice(0, 10)

/** Whether what would be written is what was shown in the place of a value: writing it back would destroy the value. */
function holdsMask(body: Uint8Array): boolean {
  return bytesHoldMask(body) || Buffer.from(body.buffer, body.byteOffset, body.length).includes(ENCODED_MASK)
}

/** What the values of a Secret are labelled with, without any policy saying so. `exempt` may name it. */
export const SECRET_LABEL = 'kubernetes.secret'
