import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: readonly Received[]
  /** What to answer next, oldest first; 200 and `{"ok":true}` when there is nothing left. `hang`: never answers. */
  readonly script: (
    | number
    | 'hang'
    | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string }
  )[]
  /** Resolves once so many have come. */
  until(count: number): Promise<void>
}

/** An HTTP server of somebody else's, who takes what is posted and answers as scripted. */
export async function receiver(): Promise<Receiver> {
  const received: Received[] = []
  const script: Receiver['script'] = []
  let wake: () => void = () => undefined
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      const next = script.shift() ?? 200
      if (next !== 'hang') {
        const { status = 200, headers = {}, body = '{"ok":true}' } = typeof next === 'number' ? { status: next } : next
        response.writeHead(status, headers).end(body)
      }
      wake()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    script,
    async until(count) {
      while (received.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
