import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ocsfEvent } from '../../../gateway/exports/ocsf.ts'
import type { SessionDetail, StatementRow } from '../../../schemas/api.ts'
import { ACTS, STATEMENT_OUTCOMES } from '../../../schemas/api-names.ts'
import { PROTOCOL_NAMES, type ProtocolName } from '../../../schemas/session.ts'
import { clientHere } from '../../support/clients.ts'

const CHECKER = fileURLToPath(new URL('../../support/check_ocsf.py', import.meta.url))

function sessionAt(protocol: ProtocolName, client: string): SessionDetail {
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

function rowOf(text: string, change: Partial<StatementRow>): StatementRow {
  const row = { session: '20261120T105150Z-gw1-00000042', frame: 3, part: 0, channel: 0, kind: 'query', text, textCut: false }
  const sums = { atUs: 1_500_000, durationUs: 2_500_000, lastFrame: 7, rows: 2, bytesOut: 10, masked: 1 }
  return {
    ...row,
    ...sums,
    verdict: null,
    rules: ['r'],
    approval: 'A-1',
    outcome: 'complete',
    tables: [],
    ...change,
  } as StatementRow
}

test('events of every protocol, verdict and outcome are what the schema of OCSF 1.8 asks of their class', (t) => {
  const events = PROTOCOL_NAMES.flatMap((protocol) =>
    ['127.0.0.1:5432', '[::1]:22'].flatMap((client) =>
      [null, ...ACTS].flatMap((verdict) =>
        STATEMENT_OUTCOMES.map((outcome) =>
          ocsfEvent(sessionAt(protocol, client), rowOf('SELECT "a\n" FROM t', { verdict, outcome, durationUs: null }), '0.1.0'),
        ),
      ),
    ),
  )
  for (const [text, activity] of [
    ['select 1', 4],
    ['  (select 1)', 4],
    ['INSERT INTO t VALUES (1)', 5],
    ['update t set a = 1', 2],
    ['delete from t', 7],
    ['vacuum', 99],
    ['', 99],
  ] as const)
    assert.equal(ocsfEvent(sessionAt('postgres', '[::1]:22'), rowOf(text, {}), '0')['activity_id'], activity, text)
  assert.deepEqual(events[0]?.['src_endpoint'], { ip: '127.0.0.1', port: 5432 })
  const python = clientHere(t, 'ocsf')
  if (python === undefined) return
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const ran = spawnSync(python, [CHECKER], { input: lines, encoding: 'utf8', maxBuffer: 1 << 26 })
  assert.equal(ran.status, 0, ran.stderr)
  assert.deepEqual([...new Set(ran.stdout.split('\n').filter((line) => line !== ''))], [])
})
