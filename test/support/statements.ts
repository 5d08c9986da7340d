import type { SessionDetail, StatementRow } from '../../schemas/api.ts'
import type { ProtocolName } from '../../schemas/session.ts'

/** What the catalog tells of a session and of a statement of it. */
export function sessionAt(protocol: ProtocolName, client: string): SessionDetail {
  const counts = { frames: 9, statements: 1, rows: 0, bytesIn: 1, bytesOut: 1, masked: 0 }
  return {
    id: '20261120T105150Z-gw1-00000042',
    state: 'sealed',
    gateway: 'gw1',
    identity: { subject: 'agent-7', kind: 'agent', groups: ['agents'], principal: 'ada' },
    target: { name: 'shop', protocol, labels: {} },
    client,
    startedAt: '2026-11-20T10:51:50.000Z',
    endedAt: null,
    endReason: null,
    durationUs: 5,
    ...counts,
    verdicts: { allow: 1, mask: 0, block: 0, hold: 0 },
    lastStatement: null,
    unsearchedChars: 0,
    policy: '',
    durability: 'process',
    lossWindow: '',
    claims: {},
    proof: 'key:k1',
    recovered: null,
    approvals: [],
    may: { read: true, kill: false },
  }
}

export function rowOf(text: string, change: Partial<StatementRow>): StatementRow {
  const row = { session: '20261120T105150Z-gw1-00000042', frame: 3, part: 0, channel: 0, kind: 'query', text, textCut: false }
  const sums = { atUs: 1_500_000, durationUs: 2_500_000, lastFrame: 7, rows: 2, bytesOut: 10, masked: 1 }
  return {
    ...row,
    ...sums,
    verdict: null,
    rules: ['r'],
    approval: 'A-1',
    outcome: 'complete',
    objects: [],
    verbs: [],
    fingerprint: null,
    ...change,
  }
}
