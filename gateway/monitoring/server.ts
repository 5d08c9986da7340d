import { createServer } from 'node:http'
import { ApplianceError } from '../../schemas/errors.ts'
import { metricsText } from './metrics.ts'

/** A collector asks with short headers and reads at once; nothing else has business here. */
const TIMEOUT_MS = 10_000
const MAX_HEADER_SIZE = 8 << 10
const MAX_CONNECTIONS = 64

/** What one process says of itself. */
export interface Measured {
  readonly metrics: readonly object[]
  /** Why it should be given no new sessions; undefined where it should. */
  readonly problem?: string
}

export interface MonitoringServer extends AsyncDisposable {
  readonly port: number
}

/**
 * `/healthz` (the process answers), `/readyz` (every process of it takes sessions; 503 and why, otherwise) and `/metrics` (all processes
 * added up). Plain HTTP and open to whoever reaches it: numbers and states, nothing of sessions or people. Rejects CONFIG_INVALID where
 * the address cannot be had.
 */
export async function openMonitoring(
  { host, port }: { readonly host: string; readonly port: number },
  measure: () => Promise<readonly Measured[]>,
  onError: (error: unknown) => void,
): Promise<MonitoringServer> {
  const answers: Readonly<Record<string, () => Promise<Answer>>> = {
    '/healthz': async () => ({ status: 200, type: 'text/plain', text: 'ok\n' }),
    '/readyz': async () => {
      const problems = (await measure()).flatMap(({ problem }) => problem ?? [])
      return problems.length === 0
        ? { status: 200, type: 'text/plain', text: 'ready\n' }
        : { status: 503, type: 'text/plain', text: `${[...new Set(problems)].join(', ')}\n` }
    },
    '/metrics': async () => ({ status: 200, ...(await metricsText((await measure()).map(({ metrics }) => metrics))) }),
  }
  const server = createServer({ maxHeaderSize: MAX_HEADER_SIZE }, (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? ''
    const answer =
      (request.method === 'GET' || request.method === 'HEAD') && Object.hasOwn(answers, path) ? answers[path] : undefined
    const send = ({ status, type, text }: Answer): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      response.end(text)
    }
    if (answer === undefined) return send({ status: 404, type: 'text/plain', text: 'nothing here\n' })
    answer().then(send, (error: unknown) => {
      onError(error)
      send({ status: 500, type: 'text/plain', text: 'failed\n' })
    })
  })
  server.headersTimeout = TIMEOUT_MS
  server.requestTimeout = TIMEOUT_MS
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new ApplianceError('CONFIG_INVALID', `monitoring: cannot listen on ${host}:${port}: ${error.message}`)),
    )
    server.listen({ host, port }, resolve)
  })
  server.on('error', onError)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}
