import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * What happens to a request: passed on; its answer lost though it was done; refused as a busy service does; late; or nothing at
 * all, as behind a cut cable.
 */
export type Treatment =
  | { readonly act: 'pass' }
  | { readonly act: 'lose-answer' }
  | { readonly act: 'busy' }
  | { readonly act: 'late'; readonly ms: number }
  | { readonly act: 'swallow' }

/** An HTTP proxy before a store's emulator that treats each request as the test says. */
export interface FaultProxy extends AsyncDisposable {
  /** The same as the emulator's, but through here. */
  readonly url: string
  treat: (method: string, path: string) => Treatment
}

const BUSY = '<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code><Message>busy</Message></Error>'

export async function startFaultProxy(url: string): Promise<FaultProxy> {
  const to = new URL(url)
  let treat: FaultProxy['treat'] = () => ({ act: 'pass' })
  const handle = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const treatment = treat(incoming.method ?? '', incoming.url ?? '')
    switch (treatment.act) {
      case 'swallow':
        incoming.resume()
        return
      case 'busy':
        incoming.resume()
        await once(incoming, 'end')
        answer.writeHead(503, {
          'x-ms-error-code': 'ServerBusy',
          'content-type': 'application/xml',
          'content-length': BUSY.length,
        })
        answer.end(BUSY)
        return
      case 'late':
        await delay(treatment.ms)
        break
      case 'lose-answer':
      case 'pass':
        break
      default:
        treatment satisfies never
    }
    const { method, headers, url: path } = incoming
    const onward = request({ host: to.hostname, port: to.port, method, path, headers })
    onward.on('error', () => answer.destroy())
    incoming.pipe(onward)
    onward.on('response', (response) => {
      if (treatment.act === 'lose-answer') {
        response.resume()
        answer.destroy()
        return
      }
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
  }
  const server = createServer((incoming, answer) => {
    handle(incoming, answer).catch(() => answer.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}${to.pathname}`,
    get treat() {
      return treat
    },
    set treat(given) {
      treat = given
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
