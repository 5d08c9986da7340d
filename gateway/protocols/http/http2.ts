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
    onUnread,
    onError,
  }: {
    readonly onRequest: (request: Http2ServerRequest, response: Http2ServerResponse) => void
    /** Of so many requests there is no more than their number: Node refuses what is over these limits, or malformed, without a word. */
    readonly onUnread: (count: number) => void
    /** It is closed already. */
    readonly onError: (error: Error) => void
  },
): ServerHttp2Session {
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeadBytes, enablePush: false },
    maxHeaderListPairs: MAX_HEADER_PAIRS,
    maxSessionMemory: MAX_SESSION_MIB,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
    // A target that says a header twice, and its server in front of it once more, is answered for as over HTTP/1.1.
    strictSingleValueFields: false,
  })
  server.on('request', onRequest)
  // Sent only once it is known who asks.
  server.on('checkContinue', onRequest)
  // Node would answer these by itself, with 417 and 405.
  server.on('checkExpectation', onRequest)
  server.on('connect', onRequest)
  server.on('sessionError', (error) => {
    socket.destroy()
    onError(error)
  })
  const made: ServerHttp2Session[] = []
  server.once('session', (session) => made.push(session))
  // Before the session hears of it, which then tells nothing any more.
  socket.once('close', () => unread.upTo(made[0]?.state.lastProcStreamID))
  // A client that closes its half has left, as over HTTP/1.1: its socket would stay open by itself, and its streams with it.
  socket.once('end', () => socket.destroy())
  server.emit('connection', socket)
  // Waited for by sessions on a TLS socket that no TLS server made; its handshake is over.
  socket.emit('secureConnect')
  const [session] = made
  if (session === undefined) throw new Error('a connection without a session')
  const unread = new Unread(onUnread)
  session.on('stream', ({ id = 0 }) => unread.next(id))
  session.on('goaway', () => unread.upTo(session.state.lastProcStreamID))
  session.setTimeout(silentMs, () => session.destroy())
  return session
}

/** Streams that a client has opened and no request came of: their numbers are odd and ascend (RFC 9113, 5.1.1). */
class Unread {
  readonly #tell: (count: number) => void
  #last = -1

  constructor(tell: (count: number) => void) {
    this.#tell = tell
  }

  /** A request came by this stream. */
  next(id: number): void {
    this.upTo(id - 2)
    this.#last = id
  }

  /** None more will come of those up to this one. */
  upTo(id: number | undefined): void {
    if (id === undefined || id <= this.#last) return
    this.#tell((id - this.#last) / 2)
    this.#last = id
  }
}
