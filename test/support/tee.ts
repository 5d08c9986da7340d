import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { RunningGateway } from './gateway.ts'
import { framesOf, isMasked, releasedOut, saidIn } from './tapes.ts'

/** One connection that went through the tee. */
export class TeeConnection {
  /** Port it reached the gateway from: how its session is found. */
  readonly port: number
  readonly #received: Buffer[] = []
  readonly #sent: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  #receivedSize = 0

  constructor(port: number) {
    this.port = port
  }

  /** Exactly what the client was given. */
  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  get sent(): Buffer {
    return Buffer.concat(this.#sent)
  }

  /** Whether it asked to be let in, and not only to cancel something. */
  get isSession(): boolean {
    const { sent } = this
    return sent.length > 8 && sent.readUInt16BE(4) === 3
  }

  keep(from: 'client' | 'gateway', chunk: Buffer): void {
    const kept = from === 'client' ? this.#sent : this.#received
    kept.push(chunk)
    if (from === 'gateway') this.#receivedSize += chunk.length
    for (const wake of this.#waiting) wake()
  }

  /** Resolves once the client was given this many bytes. */
  async has(size: number): Promise<void> {
    while (this.#receivedSize < size) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }
}

export interface Tee extends AsyncDisposable {
  readonly port: number
  readonly connections: readonly TeeConnection[]
  /** Every session since the last call equals its tape, byte for byte. Returns how many there were. */
  check(): Promise<number>
}

type TeedGateway = Pick<RunningGateway, 'port' | 'log'> & { readonly folder: { readonly dataDir: string } }

/** A proxy between a client and the gateway that keeps every byte it passes on, without TLS, so that it can see them. */
export async function tee(gateway: TeedGateway): Promise<Tee> {
  const connections: TeeConnection[] = []
  const sockets = new Set<Socket>()
  let checked = 0
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    upstream.on('connect', () => {
      const connection = new TeeConnection((upstream.address() as AddressInfo).port) // of a connected TCP socket
      connections.push(connection)
      pass(client, upstream, (chunk) => connection.keep('client', chunk))
      pass(upstream, client, (chunk) => connection.keep('gateway', chunk))
    })
    upstream.on('close', () => client.destroy())
    client.on('close', () => upstream.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port, // listening on TCP
    connections,
    async check() {
      const fresh = connections.slice(checked).filter((connection) => connection.isSession)
      checked = connections.length
      for (const connection of fresh) await assertOnTape(gateway, connection)
      return fresh.length
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function pass(from: Socket, to: Socket, keep: (chunk: Buffer) => void): void {
  from.on('data', (chunk: Buffer) => {
    keep(chunk)
    if (!to.write(chunk)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
  })
  from.on('end', () => to.end())
}

/** The tape replays exactly what this client got, and what it said wherever nothing in it had to be masked. */
export async function assertOnTape(gateway: TeedGateway, connection: TeeConnection): Promise<void> {
  const session = await gateway.log.sealed(connection.port)
  const frames = await framesOf(gateway.folder.dataDir, session)
  assertSame(withoutCancelKey(connection.received), withoutCancelKey(releasedOut(frames)), `${session} received`)
  if (!isMasked(frames, 'in')) assertSame(withoutPassword(connection.sent), saidIn(frames), `${session} sent`)
}

const CONTEXT_BYTES = 120

function assertSame(actual: Buffer, taped: Buffer, what: string): void {
  if (actual.equals(taped)) return
  let at = 0
  while (at < actual.length && actual[at] === taped[at]) at += 1
  const show = (bytes: Buffer): string =>
    JSON.stringify(bytes.toString('latin1', Math.max(0, at - CONTEXT_BYTES), at + CONTEXT_BYTES))
  assert.fail(
    `${what}: ${actual.length} bytes, the tape has ${taped.length}, they differ at ${at}\n  wire: ${show(actual)}\n  tape: ${show(taped)}`,
  )
}

/** The secret of BackendKeyData is the one thing of the client's that the tape must not have. */
export function withoutCancelKey(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = 0; at + 5 <= copy.length; ) {
    const size = copy.readUInt32BE(at + 1)
    if (copy[at] === 0x4b) {
      copy.fill('*', at + 9, at + 1 + size)
      return copy
    }
    at += 1 + size
  }
  return copy
}

/** Start-up packet, then what followed the password message, which no tape may hold. */
function withoutPassword(sent: Buffer): Buffer {
  const start = sent.readUInt32BE(0)
  if (sent[start] !== 0x70) return sent
  return Buffer.concat([sent.subarray(0, start), sent.subarray(start + 1 + sent.readUInt32BE(start + 1))])
}
