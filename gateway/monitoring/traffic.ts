import type { Entry } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Act } from '../../schemas/verdict.ts'

/** Of one protocol, since the process started. */
export interface Passed {
  /** Messages that were recorded, by verdict. */
  readonly messages: Record<Act, number>
  /** Bodies as recorded: `in` from clients, `out` to them. */
  readonly bytes: Record<'in' | 'out', number>
}

/** What passed through this process: plain numbers, because it is counted with every chunk. */
export class Traffic {
  readonly byProtocol = new Map<ProtocolName, Passed>()

  add(protocol: ProtocolName, entries: readonly Entry[]): void {
    let passed = this.byProtocol.get(protocol)
    if (passed === undefined) {
      passed = { messages: { allow: 0, mask: 0, block: 0, hold: 0 }, bytes: { in: 0, out: 0 } }
      this.byProtocol.set(protocol, passed)
    }
    for (const { dir, verdict, body } of entries) {
      if (dir === 'note') continue
      passed.messages[verdict?.act ?? 'allow'] += 1
      if (body !== null) passed.bytes[dir] += body.length
    }
  }
}
