import { createConnection, type NetConnectOpts, type Socket } from 'node:net'
import type { Chatter } from '../../intake.ts'

/** The most one connection reads before all others have their turn: four packets of a bulk stream. */
const TURN_SIZE = 128 * 1024
/** As much while others say little things and wait for the answers: one packet. */
const SHORT_TURN_SIZE = 33 * 1024
/** Short turns in a row without a word from the others, and turns are long again. */
const SHORT_TURNS = 256

/** For all connections of the process: what is read is decrypted, which copies it, before anybody reads again. */
const shared = Buffer.allocUnsafeSlow(TURN_SIZE)

/**
 * A connection whose reads go into memory that all such connections share, as long as `sealed` says that whoever listens keeps nothing of
 * what it is given; until then they are copied. A bulk stream stops reading after each turn, so that it holds up nobody for longer.
 */
export function connectShared(options: NetConnectOpts, chatter: Chatter, sealed: () => boolean): Socket {
  const turn = new Turn(chatter)
  const socket: Socket = createConnection({
    ...options,
    onread: {
      buffer: () => shared.subarray(0, turn.limit),
      callback: (size, buffer) => {
        const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, size)
        if (turn.over(size)) giveWay(socket)
        // What came before goes first.
        if (!sealed() || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
        socket.emit('data', bytes)
        return true
      },
    },
  })
  return socket
}

function giveWay(socket: Socket): void {
  socket.pause()
  setImmediate(() => {
    if (!socket.destroyed) socket.resume()
  })
}

/** How much one connection may read at once. */
class Turn {
  limit = TURN_SIZE
  #size = 0
  #shortTurns = 0
  readonly #chatter: Chatter
  #seen: number

  constructor(chatter: Chatter) {
    this.#chatter = chatter
    this.#seen = chatter.others
  }

  /** Whether so much more ends it. */
  over(size: number): boolean {
    this.#size += size
    if (this.#size < this.limit) return false
    this.#size = 0
    const { others } = this.#chatter
    if (others !== this.#seen) this.#shortTurns = SHORT_TURNS
    else if (this.#shortTurns > 0) this.#shortTurns--
    this.#seen = others
    this.limit = this.#shortTurns > 0 ? SHORT_TURN_SIZE : TURN_SIZE
    return true
  }
}
