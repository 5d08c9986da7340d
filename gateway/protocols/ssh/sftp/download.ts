import { SshOutput } from '../output.ts'
import { denial } from './denial.ts'
import { SftpMessage } from './messages.ts'
import { LENGTH_SIZE, STATUS, statusPacket, TYPE } from './packets.ts'
import { type Answered, HEAD_SIZE, type Read } from './reads.ts'

const APART = 'sallyport: what stands before it did not come; read it again'

/** What the client is given of a block; of one that ends before it begins, no data. */
interface Piece {
  readonly read: Read
  readonly ahead: Uint8Array
  readonly head: Uint8Array
  readonly content: Uint8Array
  /** Both. */
  readonly bytes: Uint8Array
}

/** Blocks of files that came together: what the client is given of each, masked in place. */
export function downloads(channel: number, blocks: readonly Answered[]): SftpMessage {
  const pieces = blocks.map(pieceOf)
  const [first] = pieces
  const bytes = pieces.length === 1 && first !== undefined ? first.bytes : Buffer.concat(pieces.map((piece) => piece.bytes))
  const facts = {
    statement: first?.read.file.statement ?? 0,
    offset: first?.read.plan.from ?? 0,
    size: sizeOf(pieces),
  }
  let given: readonly Piece[] = pieces
  return new SftpMessage({
    from: 'server',
    kind: 'file-download',
    channel,
    bytes,
    units: blocks.length,
    ...(first === undefined ? {} : { statement: first.read.file.statement }),
    facts,
    redact(redactor) {
      const masked = pieces.map(({ read, ahead }) => read.file.content.redact(read.plan, [read.data, ahead], redactor))
      if (masked.every((content) => content === undefined)) return { bytes, masks: null }
      given = pieces.map((piece, index) => (masked[index] === 'apart' ? statusPiece(piece, STATUS.failure, APART) : piece))
      const sink = redactor.sink(bytes.length)
      for (const [index, { head, content }] of given.entries()) {
        const part = masked[index]
        sink.copy(head, 0, head.length)
        sink.append(part === undefined || part === 'apart' ? { bytes: content, masks: null } : part)
      }
      return sink.finish()
    },
    recorded: () => (given === pieces ? facts : { ...facts, size: sizeOf(given) }),
    release(released) {
      let at = 0
      for (const { read, head, content } of given) {
        at += head.length
        if (content.length > 0) read.file.gave(read.plan.from, released.subarray(at, at + content.length))
        at += content.length
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

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { content }) => sum + content.length, 0)
}

/** No data, but word of why. */
function statusPiece({ read, ahead }: Answered, status: number, why: string): Piece {
  const bytes = statusPacket(read.id, status, why)
  return { read, ahead, head: bytes, content: bytes.subarray(bytes.length), bytes }
}

/** What the target sent is changed in its place, where what the client asked for stands right behind its head. */
function pieceOf({ read, ahead }: Answered): Piece {
  const { offset, from, to } = read.plan
  const content = read.data.subarray(from - offset, to - offset)
  // There was only what stands before.
  if (content.length === 0) return statusPiece({ read, ahead }, STATUS.eof, 'End of file')
  const bytes =
    from === offset ? read.packet.subarray(0, HEAD_SIZE + content.length) : Buffer.allocUnsafe(HEAD_SIZE + content.length)
  bytes.writeUInt32BE(bytes.length - LENGTH_SIZE, 0)
  bytes[LENGTH_SIZE] = TYPE.data
  bytes.writeUInt32BE(read.id, LENGTH_SIZE + 1)
  bytes.writeUInt32BE(content.length, LENGTH_SIZE + 5)
  if (from !== offset) bytes.set(content, HEAD_SIZE)
  return { read, ahead, head: bytes.subarray(0, HEAD_SIZE), content: bytes.subarray(HEAD_SIZE), bytes }
}
