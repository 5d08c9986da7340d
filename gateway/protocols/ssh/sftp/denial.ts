import type { Refusal } from '../../../../schemas/verdict.ts'
import { SshOutput } from '../output.ts'
import { STATUS, STATUS_NAMES, statusPacket } from './packets.ts'

/** What a client is answered in the place of the target. */
export function denial(
  channel: number,
  ids: readonly number[],
  refusal: Refusal,
  status: number = STATUS.permissionDenied,
): SshOutput {
  const packets = ids.map((id) => statusPacket(id, status, refusal.message))
  return new SshOutput('client', channel, { act: 'data' }, Buffer.concat(packets), {
    kind: 'file-reply',
    facts: { status: STATUS_NAMES[status] ?? '' },
  })
}
