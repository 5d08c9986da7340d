import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown }
  readonly [key: string]: unknown
}

interface Kind {
  readonly group: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly short: readonly string[]
}

const KINDS: readonly Kind[] = [
  { group: '', plural: 'pods', kind: 'Pod', namespaced: true, short: ['po'] },
  { group: '', plural: 'secrets', kind: 'Secret', namespaced: true, short: [] },
  { group: '', plural: 'configmaps', kind: 'ConfigMap', namespaced: true, short: ['cm'] },
  { group: '', plural: 'namespaces', kind: 'Namespace', namespaced: false, short: ['ns'] },
  { group: '', plural: 'nodes', kind: 'Node', namespaced: false, short: [] },
  { group: 'apps', plural: 'deployments', kind: 'Deployment', namespaced: true, short: ['deploy'] },
]
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const SUBRESOURCES = ['log', 'exec', 'attach', 'portforward', 'proxy'].map((sub) => `pods/${sub}`)

/** What is done for a pod: the double has the API, whoever uses it has the pods. */
export interface Pods {
  /** Writes what the pod says, until `signal` aborts. */
  log(follow: boolean, write: (text: string) => void, signal: AbortSignal): Promise<void>
  /** exec, attach, port-forward. */
  upgrade(request: IncomingMessage, socket: Duplex, first: Buffer): void
}

/**
 * An API server in the shape of the real one, as far as kubectl looks: discovery, objects, tables, watches, merge patches, logs. Everything
 * is kept in memory and nothing is validated.
 */
export class KubernetesApi implements AsyncDisposable {
  readonly objects = new Map<string, KubeObject>()
  /** Every request, in order. */
  readonly asked: {
    readonly method: string
    readonly url: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[] = []
  readonly #server: Server
  readonly #watchers = new Set<(type: string, object: KubeObject, key: string) => void>()
  readonly #pods: Pods
  #version = 100

  private constructor(pods: Pods, path: string) {
    this.#pods = pods
    this.#server = createServer((request, response) => {
      if (!(request.url ?? '').startsWith(`${path}/`)) return void response.writeHead(404).end()
      request.url = request.url?.slice(path.length)
      void this.#answer(request, response)
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      this.asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: '' })
      pods.upgrade(request, socket, first)
    })
  }

  /** `path`: in front of all of its own, as behind another server. */
  static async start(pods: Pods, path = ''): Promise<KubernetesApi> {
    const api = new KubernetesApi(pods, path)
    await once(api.#server.listen(0, '127.0.0.1'), 'listening')
    return api
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  add(object: KubeObject): void {
    const kind = KINDS.find((each) => each.kind === object.kind)
    if (kind === undefined) throw new Error(`no kind ${object.kind}`)
    this.#put(kind, object.metadata.namespace ?? '', object.metadata.name, object)
  }

  #put(kind: Kind, namespace: string, name: string, object: KubeObject): KubeObject {
    const key = `${kind.plural}/${namespace}/${name}`
    this.#version++
    const place = kind.namespaced ? { namespace } : {}
    const kept: KubeObject = {
      ...object,
      apiVersion: object.apiVersion ?? (kind.group === '' ? 'v1' : `${kind.group}/v1`),
      kind: kind.kind,
      metadata: {
        uid: `uid-${key}`,
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...object.metadata,
        name,
        ...place,
        resourceVersion: String(this.#version),
      },
    }
    if (kept.kind === 'Secret' && typeof kept['stringData'] === 'object' && kept['stringData'] !== null) {
      const encoded = Object.entries(kept['stringData']).map(([field, text]) => [
        field,
        Buffer.from(String(text)).toString('base64'),
      ])
      Object.assign(kept, {
        data: { ...(kept['data'] as object | undefined), ...Object.fromEntries(encoded) },
        stringData: undefined,
      })
    }
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED'
    this.objects.set(key, kept)
    for (const watcher of this.#watchers) watcher(type, kept, key)
    return kept
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const url = request.url ?? '/'
    this.asked.push({ method: request.method ?? '', url, headers: request.headers, body })
    const { pathname, searchParams } = new URL(url, 'http://api')
    const discovered = discovery(pathname)
    if (discovered !== undefined) return json(response, 200, discovered)
    const found = /^\/(?:api|apis\/([^/]+))\/v1(?:\/namespaces\/([^/]+)(?=\/[^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      pathname,
    )
    const kind = KINDS.find(({ group, plural }) => group === (found?.[1] ?? '') && plural === found?.[3])
    if (found === null || kind === undefined)
      return status(response, 404, 'NotFound', 'the server could not find the requested resource')
    const [, , namespace = '', , name, subresource] = found
    const table = (request.headers.accept ?? '').split(',')[0]?.includes('as=Table') === true
    if (subresource === 'log') return this.#log(response, searchParams.get('follow') === 'true')
    const key = `${kind.plural}/${namespace}/${name ?? ''}`
    const kept = this.objects.get(key)
    const shown = (object: KubeObject): unknown => (table ? tableOf([object]) : object)
    switch (request.method) {
      case 'GET': {
        if (name !== undefined) {
          if (kept === undefined) return status(response, 404, 'NotFound', `${kind.plural} "${name}" not found`)
          return json(response, 200, shown(kept))
        }
        const prefix = namespace === '' ? `${kind.plural}/` : `${kind.plural}/${namespace}/`
        const selected = /metadata\.name=([^,]+)/.exec(searchParams.get('fieldSelector') ?? '')?.[1]
        const fits = (at: string): boolean => at.startsWith(prefix) && (selected === undefined || at.endsWith(`/${selected}`))
        if (searchParams.get('watch') === 'true' || searchParams.get('watch') === '1') return this.#watch(response, fits, shown)
        const items = [...this.objects].filter(([at]) => fits(at)).map(([, object]) => object)
        if (table) return json(response, 200, tableOf(items))
        // Items of a typed list say no kind.
        const bare = items.map(({ kind: _, apiVersion: __, ...rest }) => rest)
        return json(response, 200, {
          kind: `${kind.kind}List`,
          apiVersion: kind.group === '' ? 'v1' : `${kind.group}/v1`,
          metadata: { resourceVersion: String(this.#version) },
          items: bare,
        })
      }
      case 'POST': {
        const object = JSON.parse(body) as KubeObject // a client's word: this is a double
        return json(response, 201, shown(this.#put(kind, namespace, object.metadata.name, object)))
      }
      case 'PUT':
        return json(response, 200, shown(this.#put(kind, namespace, name ?? '', JSON.parse(body))))
      case 'PATCH': {
        if (kept === undefined) return status(response, 404, 'NotFound', `${kind.plural} "${name}" not found`)
        const type = request.headers['content-type'] ?? ''
        if (!/-patch\+(json|yaml)$|^application\/json$/.test(type)) return status(response, 415, 'UnsupportedMediaType', type)
        // Operations are taken, and change nothing here.
        if (type === 'application/json-patch+json') return json(response, 200, shown(kept))
        const patched = merged(kept, JSON.parse(body)) as KubeObject
        const running = subresource === 'ephemeralcontainers' ? withDebuggers(patched) : patched
        return json(response, 200, shown(this.#put(kind, namespace, name ?? '', running)))
      }
      case 'DELETE': {
        if (kept === undefined) return status(response, 404, 'NotFound', `${kind.plural} "${name}" not found`)
        this.objects.delete(key)
        for (const watcher of this.#watchers) watcher('DELETED', kept, key)
        return json(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' })
      }
      default:
        return status(response, 405, 'MethodNotAllowed', 'not here')
    }
  }

  #watch(response: ServerResponse, fits: (key: string) => boolean, shown: (object: KubeObject) => unknown): void {
    response.setHeader('content-type', 'application/json')
    response.flushHeaders()
    const tell = (type: string, object: KubeObject, key: string): void => {
      if (fits(key)) response.write(`${JSON.stringify({ type, object: shown(object) })}\n`)
    }
    this.#watchers.add(tell)
    response.once('close', () => this.#watchers.delete(tell))
  }

  async #log(response: ServerResponse, follow: boolean): Promise<void> {
    response.setHeader('content-type', 'text/plain')
    response.flushHeaders()
    const left = new AbortController()
    response.once('close', () => left.abort())
    await this.#pods.log(follow, (text) => void response.write(text), left.signal)
    response.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function discovery(path: string): unknown {
  if (path === '/version') return { major: '1', minor: '33', gitVersion: 'v1.33.0-double' }
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  const version = { groupVersion: 'apps/v1', version: 'v1' }
  if (path === '/apis')
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: [{ name: 'apps', versions: [version], preferredVersion: version }] }
  if (path !== '/api/v1' && path !== '/apis/apps/v1') return undefined
  const group = path === '/api/v1' ? '' : 'apps'
  const resources = KINDS.filter((each) => each.group === group).map(({ plural, kind, namespaced, short }) => ({
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: VERBS,
    shortNames: short,
  }))
  const subs =
    group === ''
      ? SUBRESOURCES.map((name) => ({ name, singularName: '', namespaced: true, kind: 'Pod', verbs: ['create', 'get'] }))
      : []
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? 'v1' : 'apps/v1',
    resources: [...resources, ...subs],
  }
}

function tableOf(objects: readonly KubeObject[]): unknown {
  const column = (name: string): object => ({ name, type: 'string', format: '', description: name, priority: 0 })
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: '1' },
    columnDefinitions: [column('Name'), column('Kind')],
    // The whole object, which a client may ask for, is the harder case.
    rows: objects.map((object) => ({ cells: [object.metadata.name, object.kind], object })),
  }
}

/** What a kubelet does with containers that are added to a pod: they run. */
function withDebuggers(pod: KubeObject): KubeObject {
  const { ephemeralContainers = [] } = pod['spec'] as { ephemeralContainers?: readonly { name: string; image: string }[] }
  const ephemeralContainerStatuses = ephemeralContainers.map(({ name, image }) => {
    return { name, image, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }
  })
  return { ...pod, status: { ...(pod['status'] as object), ephemeralContainerStatuses } }
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

function json(response: ServerResponse, code: number, value: unknown): void {
  response.statusCode = code
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}

function status(response: ServerResponse, code: number, reason: string, message: string): void {
  json(response, code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code })
}
