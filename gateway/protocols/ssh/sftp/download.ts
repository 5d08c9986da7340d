import { SshOutput } from '../output.ts'
import { denial } from './denial.ts'
import { SftpMessage } from './messages.ts'
import { LENGTH_SIZE, STATUS, statusPacket, TYPE } from './packets.ts'
import type { Read } from './pending.ts'

/** Length, type, id, size of the data. */
const HEAD_SIZE = LENGTH_SIZE + 1 + 4 + 4

interface Block {
  readonly read: Read
  /** As the target sent it, with what was read before and behind what the client asked for. */
  readonly data: Uint8Array
}

/** Blocks of files that came together: what the client is given of each, masked in place. */
export function downloads(channel: number, blocks: readonly Block[]): SftpMessage {
  const pieces = blocks.map(({ read, data }) => {
    const { offset, from, to } = read.plan
    const wanted = data.subarray(from - offset, to - offset)
    return { read, data, size: wanted.length, bytes: wanted.length === 0 ? endOfFile(read.id) : block(read.id, wanted) }
  })
  const bytes = Buffer.concat(pieces.flatMap((piece) => piece.bytes))
  const [first] = blocks
  return new SftpMessage({
    from: 'server',
    kind: 'file-download',
    channel,
    bytes,
    units: blocks.length,
    ...(first === undefined ? {} : { statement: first.read.file.statement }),
    facts: {
      statement: first?.read.file.statement ?? 0,
      offset: first?.read.plan.from ?? 0,
      size: pieces.reduce((sum, { size }) => sum + size, 0),
    },
    redact(redactor) {
      const masked = pieces.map(({ read, data }) => read.file.content.redact(read.plan, data, redactor))
      if (masked.every(({ masks }) => masks === null)) return { bytes, masks: null }
      const sink = redactor.sink(bytes.length)
      for (const [index, piece] of pieces.entries()) {
        const [head = NO_BYTES] = piece.bytes
        sink.copy(head, 0, head.length)
        const content = masked[index]
        if (content !== undefined && piece.size > 0) sink.append(content, (part) => part)
      }
      return sink.finish()
    },
    release(released) {
      let at = 0
      for (const { read, size, bytes: parts } of pieces) {
        const [head = NO_BYTES] = parts
        at += head.length
        if (size > 0) read.file.gave(read.plan.from, released.subarray(at, at + size))
        at += size
      }
      return [new SshOutput('client', channel, { act: 'data' }, released)]
    },
    refuse: (refusal) => [
      denial(
        channel,
        blocks.map(({ read }) => read.id),
        refusal,
      ),
    ],
  })
}

const NO_BYTES = new Uint8Array()

function block(id: number, data: Uint8Array): readonly [Buffer, Uint8Array] {
  const head = Buffer.alloc(HEAD_SIZE)
  head.writeUInt32BE(HEAD_SIZE - LENGTH_SIZE + data.length, 0)
  head[LENGTH_SIZE] = TYPE.data
  head.writeUInt32BE(id, LENGTH_SIZE + 1)
  head.writeUInt32BE(data.length, LENGTH_SIZE + 5)
  return [head, data]
}

/** There was only what stands before. */
function endOfFile(id: number): readonly [Buffer] {
  return [statusPacket(id, STATUS.eof, 'End of file')]
}
