import { serialize } from 'pg-protocol'
import { describers } from '../../gateway/protocols/describers.ts'
import { SessionDigest } from '../../recorder/catalog/digest.ts'
import type { Facts, Frame } from '../../schemas/frame.ts'
import type { SessionId } from '../../schemas/session.ts'
import type { TapeHeader } from '../../schemas/tape.ts'
import { answers } from './pg-words.ts'
import { START } from './recording.ts'

/** A statement, and the ids of the rows that answered it. */
export interface Asked {
  readonly text: string
  readonly table: string
  readonly ids: readonly number[]
  /** After the session's start; a tenth of a second after the one before, where it is not given. */
  readonly afterMs?: number
}

/** What the catalog makes of a session's frames, without a tape. */
export function digestOf(...session: Parameters<typeof framesOf>): SessionDigest {
  return digested(framesOf(...session))
}

export function digested({ header, frames, end }: ReturnType<typeof framesOf>): SessionDigest {
  const digest = new SessionDigest(header, describers.postgres?.(), 'of this test')
  for (const frame of frames) digest.add(frame)
  digest.end('sealed', end)
  return digest
}

export function framesOf(
  n: number,
  startedMs: number,
  asked: readonly Asked[],
  { subject = 'agent-7', principal = 'ada', target = 'shop' } = {},
): {
  readonly header: TapeHeader
  readonly frames: readonly Frame[]
  readonly end: { readonly reason: string; readonly at: string; readonly atUs: number }
} {
  const startedAt = new Date(startedMs).toISOString()
  // Made as the recorder makes them.
  const id = `${startedAt.replaceAll(/[-:]|\.\d+/g, '')}-gw1-${String(n).padStart(8, '0')}` as SessionId
  const session = {
    ...START,
    id,
    gateway: 'gw1',
    number: n,
    startedAt,
    identity: { ...START.identity, subject, principal },
    target: { ...START.target, name: target },
  }
  const none = new Uint8Array()
  // As a tape's own, as far as the catalog looks at it.
  const header: TapeHeader = {
    v: 1,
    segment: 0,
    session,
    epoch: none,
    salt: none,
    monotonicUs: 0,
    lossWindow: '',
    checkpoint: null,
  }
  const frames: Frame[] = []
  let [seq, atUs] = [0, 0]
  const add = (dir: 'in' | 'out', kind: string, body: Uint8Array, facts: Facts): void => {
    frames.push({ seq, atUs, dir, channel: 0, kind, facts, body, masks: null, verdict: null })
    seq += 1
    atUs += 50_000
  }
  for (const [index, { text, table, ids, afterMs }] of asked.entries()) {
    if (afterMs !== undefined) atUs = afterMs * 1_000
    add('in', 'query', serialize.query(text), { relations: [table], verbs: ['SELECT'], fingerprint: table })
    const rows = ids.map((each) => answers.row(String(each), 'Ghent'))
    add('out', 'reply', Buffer.concat([answers.columns({ name: 'id' }, { name: 'city' }), ...rows]), {
      statement: index + 1,
      rows: ids.length,
      tag: `SELECT ${ids.length}`,
      status: 'I',
    })
  }
  return { header, frames, end: { reason: 'client.left', at: new Date(startedMs + atUs / 1_000).toISOString(), atUs } }
}
