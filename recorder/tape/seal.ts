import { hexOf } from '../../schemas/bytes.ts'
import { type Summary, TAPE_VERSION, type Totals } from '../../schemas/tape.ts'
import type { MerkleStack } from '../../schemas/verify/merkle.ts'

import type { Chain } from './chunk.ts'
import { pack } from './msgpack.ts'
import { encodeRecord } from './record.ts'

/** The signed end of a chain: its record, and the summary of it for the index. Signs with the chain's last key. */
export function makeSeal(
  chain: Chain,
  tree: MerkleStack,
  said: {
    readonly id: string
    readonly reason: string
    readonly atUs: number
    readonly endedAt: string
    readonly totals: Totals
  },
): { readonly record: Buffer; readonly summary: Summary } {
  const { id, reason, atUs, endedAt, totals } = said
  const root = tree.root()
  const statement = pack({ v: TAPE_VERSION, id, reason, chunks: tree.count, root, head: chain.head, atUs, endedAt, totals })
  return {
    record: encodeRecord('seal', [pack([statement, chain.key.sign('seal', statement)])]),
    summary: { reason, chunks: tree.count, root: hexOf(root), endedAt, durationUs: atUs, totals },
  }
}
