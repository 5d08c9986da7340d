import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Worm } from './blob-worm.ts'
import type { Identity } from './pg-tls.ts'

/** Data actions of Azure's roles, without their common beginning. */
export type Action =
  | 'blobs/read'
  | 'blobs/add/action'
  | 'blobs/write'
  | 'blobs/delete'
  | 'blobs/tags/write'
  | 'blobs/immutableStorage/runAsSuperUser/action'
  | 'containers/read'
  | 'containers/write'
  | 'containers/delete'
  | 'generateUserDelegationKey/action'

/** The request does not arrive; its answer does not; an overload; a refusal; or the fault lies in the bytes, of which one is changed on the way. */
export type BlobFault = 'lost' | 'answer-lost' | 503 | 403 | 'flipped' | { readonly status: number; readonly code: string }

export interface Call {
  readonly method: string
  /** `/account/container/blob`, decoded. */
  readonly path: string
  /** `appendblock`, `list` ...; '' for Put Blob, Get Blob and the like. */
  readonly comp: string
  readonly action: Action
  /** Without an identity. */
  readonly anonymous: boolean
}

export interface BlobProxyOptions {
  /** The emulator's account. */
  readonly to: string
  readonly tls?: Identity
  /** What whoever comes may do; everything if left out. */
  readonly rights?: ReadonlySet<Action>
  /** Keeps policies and holds, which the emulator does not know. */
  readonly worm?: boolean
  /** Added to the clock that answers tell, ms. */
  readonly clockMs?: number
}

export interface BlobProxy extends AsyncDisposable {
  /** Of the account. */
  readonly url: string
  readonly calls: Call[]
  readonly worm: Worm
  /** Asked before each request is sent on; may wait. */
  fault: (call: Call) => BlobFault | undefined | Promise<BlobFault | undefined>
  rights: ReadonlySet<Action> | undefined
}

/**
 * Stands before Azurite and does what that leaves out: it authorises by the action each request needs, as Azure's access control
 * does (REST reference, "Permissions for calling data operations"), keeps immutability, and lets requests fail.
 */
export async function startBlobProxy(options: BlobProxyOptions): Promise<BlobProxy> {
  const { to, tls } = options
  const upstream = new URL(to)
  const existing = new Set<string>()
  const worm = new Worm()
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    serve(request, response).catch(() => response.destroy())
  }
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = callOf(request, existing)
    proxy.calls.push(call)
    const body = Buffer.concat(await request.toArray())
    const refuse = (status: number, code: string): void => {
      const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
      response.writeHead(status, { 'content-type': 'application/xml', 'x-ms-error-code': code, date: dateOf(options.clockMs) })
      response.end(request.method === 'HEAD' ? '' : text)
    }
    const needed: readonly Action[] =
      request.headers['x-ms-tags'] === undefined ? [call.action] : [call.action, 'blobs/tags/write']
    const { rights } = proxy
    if (rights !== undefined && !needed.every((action) => allows(rights, action)))
      return refuse(403, 'AuthorizationPermissionMismatch')
    const fault = await proxy.fault(call)
    if (fault === 'lost') return void request.socket.destroy()
    if (fault === 503) return refuse(503, 'ServerBusy')
    if (fault === 403) return refuse(403, 'AuthorizationPermissionMismatch')
    if (typeof fault === 'object') return refuse(fault.status, fault.code)
    if (options.worm === true) {
      const answer = worm.answer(call, request.headers)
      if (answer === 'done') return void response.writeHead(200, { date: dateOf(options.clockMs) }).end()
      if (answer !== undefined) return refuse(409, answer)
    }
    const sent = fault === 'flipped' && body.length > 0 ? flipped(body) : body
    const send = upstream.protocol === 'https:' ? httpsRequest : httpRequest
    const forwarded = send(
      {
        host: upstream.hostname,
        port: upstream.port,
        method: request.method,
        path: request.url,
        headers: { ...request.headers, host: upstream.host },
      },
      async (answer) => {
        const content = Buffer.concat(await answer.toArray())
        if (answer.statusCode === 201 && call.method === 'PUT') existing.add(call.path)
        if (answer.statusCode === 202 && call.method === 'DELETE') existing.delete(call.path)
        if (fault === 'answer-lost') return void request.socket.destroy()
        const headers = { ...answer.headers, ...worm.headers(call.path), date: dateOf(options.clockMs) }
        response.writeHead(answer.statusCode ?? 500, headers).end(content)
      },
    )
    forwarded.on('error', () => request.socket.destroy())
    forwarded.end(sent)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy: BlobProxy = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${upstream.pathname}`,
    calls: [],
    worm,
    fault: () => undefined,
    rights: options.rights,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}

/** Whoever may write may also add. */
function allows(rights: ReadonlySet<Action>, action: Action): boolean {
  return rights.has(action) || (action === 'blobs/add/action' && rights.has('blobs/write'))
}

function callOf({ method = 'GET', url = '/', headers }: IncomingMessage, existing: ReadonlySet<string>): Call {
  const { pathname, searchParams } = new URL(url, 'http://proxy')
  const path = decodeURIComponent(pathname)
  const comp = searchParams.get('comp') ?? ''
  const isContainer = searchParams.get('restype') === 'container'
  const copies = headers['x-ms-copy-source'] !== undefined
  const action = actionOf({ method, comp, isContainer, copies, exists: existing.has(path) })
  return { method, path, comp, action, anonymous: headers.authorization === undefined }
}

interface Asked {
  readonly method: string
  readonly comp: string
  readonly isContainer: boolean
  readonly copies: boolean
  readonly exists: boolean
}

function actionOf({ method, comp, isContainer, copies, exists }: Asked): Action {
  if (comp === 'userdelegationkey') return 'generateUserDelegationKey/action'
  if (comp === 'immutabilityPolicies') return 'blobs/immutableStorage/runAsSuperUser/action'
  if (comp === 'legalhold') return 'containers/write'
  if (isContainer && method === 'PUT') return 'containers/write'
  if (isContainer && method === 'DELETE') return 'containers/delete'
  if (isContainer && comp !== 'list') return 'containers/read'
  if (method === 'GET' || method === 'HEAD') return 'blobs/read'
  if (method === 'DELETE') return 'blobs/delete'
  if (comp === 'tags') return 'blobs/tags/write'
  if (comp === 'appendblock') return 'blobs/add/action'
  // Put Blob: whoever may only add may make what is not there yet.
  return comp === '' && !copies && !exists ? 'blobs/add/action' : 'blobs/write'
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}

function dateOf(shiftMs = 0): string {
  return new Date(Date.now() + shiftMs).toUTCString()
}
