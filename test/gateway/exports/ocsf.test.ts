import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ocsfEvent } from '../../../gateway/exports/ocsf.ts'
import { ACTS, STATEMENT_OUTCOMES } from '../../../schemas/api-names.ts'
import { PROTOCOL_NAMES } from '../../../schemas/session.ts'
import { clientHere } from '../../support/clients.ts'
import { rowOf, sessionAt } from '../../support/statements.ts'

const CHECKER = fileURLToPath(new URL('../../support/check_ocsf.py', import.meta.url))

test('events of every protocol, verdict and outcome are what the schema of OCSF 1.8 asks of their class', (t) => {
  const events = PROTOCOL_NAMES.flatMap((protocol) =>
    ['127.0.0.1:5432', '[::1]:22'].flatMap((client) =>
      [null, ...ACTS].flatMap((verdict) =>
        STATEMENT_OUTCOMES.map((outcome) =>
          ocsfEvent(
            sessionAt(protocol, client),
            rowOf('SELECT "a\n" FROM t', { verdict, outcome, durationUs: null }),
            '0.1.0',
            'derived',
          ),
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
    assert.equal(ocsfEvent(sessionAt('postgres', '[::1]:22'), rowOf(text, {}), '0', 'derived')['activity_id'], activity, text)
  assert.deepEqual(events[0]?.['src_endpoint'], { ip: '127.0.0.1', port: 5432 })
  const python = clientHere(t, 'ocsf')
  if (python === undefined) return
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const ran = spawnSync(python, [CHECKER], { input: lines, encoding: 'utf8', maxBuffer: 1 << 26 })
  assert.equal(ran.status, 0, ran.stderr)
  assert.deepEqual([...new Set(ran.stdout.split('\n').filter((line) => line !== ''))], [])
})
