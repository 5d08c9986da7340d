import { createHash, type Hash } from 'node:crypto'
import type { Facts } from '../../../schemas/frame.ts'
import type { Side } from '../../message.ts'
import { type TunnelCodec, TunnelMessage } from '../http/tunnel-message.ts'

const EMPTY = new Uint8Array()

/** One direction so far. */
interface Passed {
  bytes: number
  readonly hash: Hash
}

/**
 * What is encrypted between the two ends: nothing of it can be read, and nothing of it stands on the tape but that it passed. Each piece is a
 * message, its size recorded before it goes on; how much it was in all, and its SHA-256, is told at the end.
 */
export class OpaqueTunnel implements TunnelCodec {
  readonly #channel: number
  readonly #passed: Readonly<Record<Side, Passed>> = {
    client: { bytes: 0, hash: createHash('sha256') },
    server: { bytes: 0, hash: createHash('sha256') },
  }

  constructor(channel: number) {
    this.#channel = channel
  }

  receive(from: Side, chunk: Uint8Array): readonly TunnelMessage[] {
    let released = false
    return [
      new TunnelMessage({
        from,
        kind: from === 'client' ? 'tunnel-input' : 'tunnel-output',
        channel: this.#channel,
        bytes: chunk,
        facts: { size: chunk.length },
        redact: () => ({ bytes: EMPTY, masks: null }),
        // Called as it is released: what is refused did not pass.
        frame: () => {
          if (!released) this.#count(from, chunk)
          released = true
          return chunk
        },
        farewell: () => EMPTY,
      }),
    ]
  }

  rest(): readonly TunnelMessage[] {
    return []
  }

  /** Inside of what is encrypted nothing can be said. */
  farewell(): Uint8Array {
    return EMPTY
  }

  /** What passed, for the tape. Call once. */
  closing(): Facts {
    const { client, server } = this.#passed
    return {
      bytes_in: client.bytes,
      sha256_in: client.hash.digest('hex'),
      bytes_out: server.bytes,
      sha256_out: server.hash.digest('hex'),
    }
  }

  #count(from: Side, chunk: Uint8Array): void {
    const passed = this.#passed[from]
    passed.bytes += chunk.length
    passed.hash.update(chunk)
  }
}
