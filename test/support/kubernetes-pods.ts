import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { constants, createDeflate } from 'node:zlib'
import { encodeFrame, OPCODES, WebSocketReader } from '../../gateway/protocols/http/websocket.ts'
import { SPDY, SpdyReader, spdyData } from '../../gateway/protocols/kubernetes/spdy.ts'
import { SPDY_DICTIONARY } from '../../gateway/protocols/kubernetes/spdy-dictionary.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const NAMES = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const

/** What exec and port-forward see, whatever carries it: `data` and `end` of a stream by its key, `open` once they are there. */
interface Remote extends EventEmitter {
  write(key: string, bytes: Uint8Array, last?: boolean): void
  close(): void
}

/** Serves what a kubelet serves: commands run on this machine, and ports are this machine's. */
export function servePod(request: IncomingMessage, socket: Duplex, first: Buffer): void {
  socket.on('error', () => socket.destroy())
  if (first.length > 0) socket.unshift(first)
  const url = new URL(request.url ?? '/', 'http://pod')
  const forwards = /\/portforward(\/|$)/i.test(url.pathname)
  const protocols = String(request.headers['sec-websocket-protocol'] ?? request.headers['x-stream-protocol-version'] ?? '').split(
    /,\s*/,
  )
  const remote =
    request.headers.upgrade?.toLowerCase() === 'websocket'
      ? forwards
        ? spdyIn(webSocket(request, socket, protocols[0] ?? ''))
        : channels(webSocket(request, socket, protocols[0] ?? ''))
      : spdyIn(spdySocket(socket, protocols[0] ?? ''))
  if (forwards) forward(remote)
  else run(remote, url.searchParams, /\/attach(\/|$)/i.test(url.pathname) ? ['cat'] : url.searchParams.getAll('command'))
}

/** Bytes both ways. */
interface Carrier {
  receive(take: (bytes: Uint8Array) => Promise<void> | void, over: () => void): void
  send(bytes: Uint8Array): void
  close(): void
}

function webSocket(request: IncomingMessage, socket: Duplex, protocol: string): Carrier {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  )
  const reader = new WebSocketReader('client')
  return {
    receive: (take, over) => {
      void pump(socket, async (chunk) => {
        for (const { opcode, payload } of reader.receive(chunk)) {
          if (opcode === OPCODES.binary) await take(payload)
          if (opcode === OPCODES.ping) socket.write(encodeFrame('client', { opcode: OPCODES.pong, payload }))
          if (opcode === OPCODES.close) socket.end(encodeFrame('client', { opcode, payload }))
        }
      }).finally(over)
    },
    send: (payload) => void (socket.writable && socket.write(encodeFrame('client', { opcode: OPCODES.binary, payload }))),
    close: () =>
      void (socket.writable && socket.end(encodeFrame('client', { opcode: OPCODES.close, payload: Buffer.from([3, 232]) }))),
  }
}

function spdySocket(socket: Duplex, protocol: string): Carrier {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  return {
    receive: (take, over) => void pump(socket, async (chunk) => take(chunk)).finally(over),
    send: (bytes) => void (socket.writable && socket.write(bytes)),
    close: () => void socket.end(),
  }
}

async function pump(socket: Duplex, take: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of socket) await take(chunk)
  } catch {
    socket.destroy()
  }
}

/** The first byte of each message is the stream. */
function channels(carrier: Carrier): Remote {
  const remote = Object.assign(new EventEmitter(), {
    write: (key: string, bytes: Uint8Array) =>
      carrier.send(Buffer.concat([Buffer.from([NAMES.indexOf(key as (typeof NAMES)[number])]), bytes])),
    close: () => carrier.close(),
  })
  carrier.receive(
    (payload) => {
      const [id = 0] = payload
      if (id === 255) remote.emit('end', NAMES[payload[1] ?? 0])
      else remote.emit('data', NAMES[id], payload.subarray(1))
    },
    () => remote.emit('gone'),
  )
  setImmediate(() => remote.emit('open'))
  return remote
}

function spdyIn(carrier: Carrier): Remote {
  const reader = new SpdyReader()
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH })
  const ids = new Map<string, number>()
  const keys = new Map<number, string>()
  const remote = Object.assign(new EventEmitter(), {
    write: (key: string, bytes: Uint8Array, last = false) => {
      const id = ids.get(key)
      if (id !== undefined) carrier.send(spdyData(id, bytes, last))
    },
    close: () => carrier.close(),
  })
  const reply = async (id: number): Promise<void> => {
    const block = await new Promise<Buffer>((resolve) => {
      deflate.once('data', resolve)
      deflate.write(Buffer.alloc(4))
    })
    const head = Buffer.alloc(12)
    head.writeUInt32BE((0x8003_0000 | SPDY.synReply) >>> 0, 0)
    head.writeUInt32BE(4 + block.length, 4)
    head.writeUInt32BE(id, 8)
    carrier.send(Buffer.concat([head, block]))
  }
  carrier.receive(
    async (bytes) => {
      for (const frame of await reader.receive(bytes)) {
        const key = keys.get(frame.stream)
        if ('bytes' in frame) {
          if (frame.bytes.length > 0) remote.emit('data', key, frame.bytes)
          if (frame.last) remote.emit('end', key)
        } else if (frame.type === SPDY.synStream) {
          const headers = new Map(frame.headers)
          const opened = [headers.get('streamtype'), headers.get('port'), headers.get('requestid')].filter(Boolean).join(' ')
          ids.set(opened, frame.stream)
          keys.set(frame.stream, opened)
          await reply(frame.stream)
          remote.emit('stream', opened)
          if (frame.last) remote.emit('end', opened)
        } else if (frame.type === SPDY.ping) carrier.send(frame.raw)
        else if (frame.type === SPDY.goAway) carrier.close()
      }
    },
    () => remote.emit('gone'),
  )
  return remote
}

/** `words`: the command; of attach what the container is running already. */
function run(remote: Remote, query: URLSearchParams, words: readonly string[]): void {
  // A kubelet is asked by other names than an API server.
  const other = new Map([
    ['stdin', 'input'],
    ['stdout', 'output'],
    ['stderr', 'error'],
  ])
  const asks = (name: string): boolean => [name, other.get(name) ?? name].some((each) => /^(true|1)$/.test(query.get(each) ?? ''))
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  // A terminal of its own, where one is asked for.
  const [program = 'true', ...args] = asks('tty') ? ['script', '-qefc', quoted, '/dev/null'] : words
  const wanted = [
    'error',
    ...['stdin', 'stdout', 'stderr', 'resize'].filter((name) => (name === 'resize' ? asks('tty') : asks(name))),
  ]
  let begun = false
  const begin = (): void => {
    if (begun) return
    begun = true
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => undefined)
    if (!asks('stdin')) child.stdin.end()
    remote.on('data', (key: string, bytes: Uint8Array) => void (key === 'stdin' && child.stdin.write(bytes)))
    remote.on('end', (key: string) => void (key === 'stdin' && child.stdin.end()))
    remote.on('gone', () => child.kill())
    child.stdout.on('data', (chunk: Buffer) => remote.write('stdout', chunk))
    child.stderr.on('data', (chunk: Buffer) => remote.write(asks('tty') ? 'stdout' : 'stderr', chunk))
    const done = (code: number | null, message: string): void => {
      const failed = {
        metadata: {},
        status: 'Failure',
        message,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(code ?? 137) }] },
      }
      const status = code === 0 ? { metadata: {}, status: 'Success' } : failed
      for (const name of ['stdout', 'stderr']) if (asks(name)) remote.write(name, new Uint8Array(), true)
      remote.write('error', Buffer.from(JSON.stringify(status)), true)
      remote.close()
    }
    child.once('error', ({ message }) => done(126, message))
    child.once('close', (code) => done(code, `command terminated with exit code ${code}`))
  }
  const opened = new Set<string>()
  remote.once('open', begin)
  remote.on('stream', (name: string) => {
    opened.add(name)
    if (wanted.every((each) => opened.has(each))) begin()
  })
}

function forward(remote: Remote): void {
  const sockets = new Map<string, ReturnType<typeof connect>>()
  remote.on('stream', (key: string) => {
    const [type, port, id] = key.split(' ')
    if (type !== 'data') return
    const socket = connect(Number(port), '127.0.0.1')
    sockets.set(key, socket)
    const over = (): void => {
      remote.write(key, new Uint8Array(), true)
      remote.write(`error ${port} ${id}`, new Uint8Array(), true)
    }
    socket.on('data', (chunk) => remote.write(key, chunk)).on('error', () => undefined)
    socket.once('close', over)
  })
  remote.on('data', (key: string, bytes: Uint8Array) => sockets.get(key)?.write(bytes))
  remote.on('end', (key: string) => sockets.get(key)?.end())
  remote.on('gone', () => {
    for (const socket of sockets.values()) socket.destroy()
  })
}
