import type { Refusal } from '../../../../schemas/verdict.ts'
import { SshOutput } from '../output.ts'
import { SftpMessage } from './messages.ts'
import type { OpenFile } from './open-file.ts'
import type { Request } from './request.ts'

interface Block {
  readonly bytes: Buffer
  readonly request: Extract<Request, { is: 'write' }>
}

/** Blocks written to one file, one behind the other. The target gets them as they came; the tape has their content, masked. */
export function uploads(
  channel: number,
  file: OpenFile,
  blocks: readonly Block[],
  deny: (ids: readonly number[], refusal: Refusal) => readonly SshOutput[],
): SftpMessage {
  const data = joined(blocks.map(({ request }) => request.data))
  const offset = blocks[0]?.request.offset ?? 0
  return new SftpMessage({
    from: 'client',
    kind: 'file-upload',
    channel,
    bytes: joined(blocks.map(({ bytes }) => bytes)),
    units: blocks.length,
    statement: file.statement,
    facts: { statement: file.statement, offset, size: data.length },
    redact: (redactor) => file.written.push(offset, data, redactor),
    release(bytes) {
      file.took(offset, data)
      return [new SshOutput('server', channel, { act: 'data' }, bytes)]
    },
    refuse: (refusal) =>
      deny(
        blocks.map(({ request }) => request.id),
        refusal,
      ),
  })
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}
