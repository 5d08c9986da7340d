import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_REQUEST_SIZE, type Witness, type WitnessAnswer } from './witness.ts'

/** Logs ask a few times a minute, and wait for the answer. */
const REQUEST_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 60_000
const MAX_CONNECTIONS = 256
const LAST_ANSWERS_MS = 500

export interface WitnessServer extends AsyncDisposable {
  readonly port: number
}

export interface WitnessServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** After each answer, with the size asked for where there was one. */
  readonly onAnswer: (answer: WitnessAnswer, client: string) => void
  /** The witness's own disk failed, or its server: the caller must know. */
  readonly onError: (error: unknown) => void
}

/** Serves `POST /add-checkpoint`. Rejects CONFIG_INVALID where the address is taken. TLS is for what stands in front of it: nothing secret passes. */
export async function openWitnessServer(witness: Witness, options: WitnessServerOptions): Promise<WitnessServer> {
  const server = createServer((request, response) => {
    serve(witness, request, response, options).catch((error: unknown) => {
      options.onError(error)
      if (response.headersSent) response.destroy()
      else answer(response, 500, 'text/plain; charset=utf-8', 'the witness cannot remember, so it does not sign\n')
    })
  })
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.headersTimeout = REQUEST_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.maxConnections = MAX_CONNECTIONS
  await once(server.listen({ host: options.host, port: options.port }), 'listening').catch((cause: unknown) => {
    throw new ApplianceError('CONFIG_INVALID', `cannot listen on ${options.host}:${options.port}`, { cause })
  })
  server.on('error', options.onError)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      // An answer under way gets out; a log that keeps its connection for the next checkpoint is not waited for.
      const late = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS)
      await closed
      clearTimeout(late)
    },
  }
}

async function serve(
  witness: Witness,
  request: IncomingMessage,
  response: ServerResponse,
  { onAnswer }: WitnessServerOptions,
): Promise<void> {
  if (request.url !== '/add-checkpoint') return answer(response, 404, 'text/plain; charset=utf-8', 'POST /add-checkpoint\n')
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST')
    return answer(response, 405, 'text/plain; charset=utf-8', 'POST /add-checkpoint\n')
  }
  const body = await bodyOf(request)
  if (body === undefined) {
    // The rest of it is not read.
    response.setHeader('connection', 'close')
    return answer(response, 413, 'text/plain; charset=utf-8', `at most ${MAX_REQUEST_SIZE} bytes\n`)
  }
  const answered = await witness.addCheckpoint(body)
  answer(response, answered.status, answered.contentType, answered.body)
  onAnswer(answered, request.socket.remoteAddress ?? 'unknown')
}

function answer(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }).end(body)
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    size += piece.length
    if (size > MAX_REQUEST_SIZE) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
