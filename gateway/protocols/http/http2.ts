import { createServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'

/** Requests of one connection at once; each has its own place at the gate. */
const MAX_STREAMS = 128
/** One header too many or too long ends its stream (RFC 9113, 10.5.1). */
const MAX_HEADER_PAIRS = 256
/** Of one connection in MiB, all its streams together. */
const MAX_SESSION_MIB = 16
/** Streams a client may open and have refused, or break off, before its connection goes: whoever resets in a row (CVE-2023-44487) is not served. */
const MAX_REJECTED_STREAMS = 100

export interface Http2Limits {
  readonly maxHeadBytes: number
  readonly silentMs: number
}

/** Serves one connection that speaks HTTP/2 (RFC 9113). */
export function http2Session(
  socket: Duplex,
  { maxHeadBytes, silentMs }: Http2Limits,
  {
    onRequest,
    onError,
  }: {
    readonly onRequest: (request: Http2ServerRequest, response: Http2ServerResponse) => void
    /** It is closed already. */
    readonly onError: (error: Error) => void
  },
): ServerHttp2Session {
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeadBytes, enablePush: false },
    maxHeaderListPairs: MAX_HEADER_PAIRS,
    maxSessionMemory: MAX_SESSION_MIB,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
  })
  server.on('request', onRequest)
  // Sent only once it is known who asks.
  server.on('checkContinue', onRequest)
  server.on('sessionError', (error) => {
    socket.destroy()
    onError(error)
  })
  const made: ServerHttp2Session[] = []
  server.once('session', (session) => made.push(session))
  server.emit('connection', socket)
  // Waited for by sessions on a TLS socket that no TLS server made; its handshake is over.
  socket.emit('secureConnect')
  const [session] = made
  if (session === undefined) throw new Error('a connection without a session')
  session.setTimeout(silentMs, () => session.destroy())
  return session
}
