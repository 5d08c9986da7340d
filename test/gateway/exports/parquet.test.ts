import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { statementsParquet } from '../../../gateway/exports/parquet.ts'
import { clientHere } from '../../support/clients.ts'
import { rowOf, sessionAt } from '../../support/statements.ts'

const QUERY = `import duckdb, json, sys
db = duckdb.connect()
rows = db.execute("SELECT text, rows, started_at, duration_us, verdict FROM read_parquet(?) ORDER BY frame", [sys.argv[1]]).fetchall()
kv = db.execute("SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)", [sys.argv[1]]).fetchall()
print(json.dumps([rows, kv, db.execute("SELECT sum(bytes_out)::VARCHAR FROM read_parquet(?)", [sys.argv[1]]).fetchone()], default=str))`

test('DuckDB reads the statements of a session, their numbers as numbers, and where they are from', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-parquet-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const rows = [
    rowOf('SELECT \'é "x"\n\'', { frame: 1, rows: 2, bytesOut: 2 ** 40, verdict: null }),
    rowOf('=cmd|x', { frame: 2, rows: 0, bytesOut: 1, verdict: 'block', durationUs: null, lastFrame: null, approval: null }),
  ]
  const bytes = statementsParquet(sessionAt('postgres', '127.0.0.1:5'), rows, 'derived from s1')
  assert.deepEqual(statementsParquet(sessionAt('postgres', '127.0.0.1:5'), rows, 'derived from s1'), bytes)
  const python = clientHere(t, 'duckdb')
  if (python === undefined) return
  const read = async (content: Uint8Array): Promise<unknown> => {
    const path = join(folder, 'a.parquet')
    await writeFile(path, content)
    const ran = spawnSync(python, ['-c', QUERY, path], { encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    return JSON.parse(ran.stdout)
  }
  assert.deepEqual(await read(bytes), [
    [
      ['SELECT \'é "x"\n\'', 2, '2026-11-20 10:51:51.500000', 2_500_000, null],
      ['=cmd|x', 0, '2026-11-20 10:51:51.500000', null, 'block'],
    ],
    [['derived', 'derived from s1']],
    [String(2 ** 40 + 1)],
  ])
  const empty = statementsParquet(sessionAt('postgres', '127.0.0.1:5'), [], 'derived from s1')
  assert.deepEqual(await read(empty), [[], [['derived', 'derived from s1']], [null]])
})
