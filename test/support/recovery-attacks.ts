import { sha256 } from '../../recorder/tape/merkle.ts'
import { pack } from '../../recorder/tape/msgpack.ts'
import { encodeRecord } from '../../recorder/tape/record.ts'
import { certify } from '../../recorder/tape/signer.ts'
import { TAPE_MAGIC, TAPE_VERSION, tapeKeys } from '../../schemas/tape.ts'
import type { VerifyVerdict } from '../../schemas/verification.ts'
import type { Attack, Tapes } from './attacks.ts'
import { ID, SALT_KEY } from './forge.ts'

/** Recovery statements of other shapes, signed by a gateway that is trusted: who believes one takes the tape for cut there. */
export async function oddRecoveries({ signer, forged }: Tapes): Promise<Attack[]> {
  const [chunk] = forged.chunks
  const first = Buffer.concat([TAPE_MAGIC, forged.headerRecord, chunk?.record ?? Buffer.alloc(0)])
  const good = {
    v: TAPE_VERSION,
    id: ID,
    gateway: 'gw1',
    spool: 'gw1',
    recoveredAt: '2026-11-20T12:00:00.000Z',
    head: chunk?.head ?? null,
    segment: 0,
    offset: first.length,
    chunks: 1,
    frames: 2,
    recovered: 0,
    discardedBytes: 0,
    salt: sha256(SALT_KEY),
    epoch: forged.keys[0]?.raw ?? null,
  }
  const row = async (
    name: string,
    change: Partial<Record<keyof typeof good, unknown>>,
    verdict: VerifyVerdict = 'INVALID',
  ): Promise<Attack> => {
    const members = Object.entries({ ...good, ...change }).filter(([, value]) => value !== undefined)
    const statement = Buffer.from(pack(Object.fromEntries(members)))
    const { gateway, algorithm, keyId, signature } = await certify(signer, 'recovery', statement)
    const record = encodeRecord('recovery', [pack([statement, [gateway, algorithm, keyId, signature]])])
    const objects = new Map([
      ...forged.store.objects,
      [tapeKeys.segment(ID, 0), first],
      [tapeKeys.recovered(ID), Buffer.concat([TAPE_MAGIC, record])],
    ])
    return { name: `a recovery ${name}`, objects, verdict, named: { object: tapeKeys.recovered(ID) } }
  }
  return [
    await row('without an end', {}),
    await row('of no spool', { spool: undefined }),
    await row('that does not say what it discarded', { discardedBytes: undefined }),
    await row('with a salt of 31 bytes', { salt: Buffer.alloc(31) }),
    await row('of version true', { v: true }),
    await row('of version 1e300', { v: 1e300 }),
    await row('of version 2', { v: 2 }, 'UNVERIFIABLE'),
  ]
}
