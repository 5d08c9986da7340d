import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ExportOptions, exportSession } from '../../../gateway/cli/export.ts'
import type { ExportFormat } from '../../../gateway/cli/export-formats.ts'
import { readLines, StoreLedger } from '../../../recorder/index.ts'
import { readCsv } from '../../../schemas/csv.ts'
import { clientHere } from '../../support/clients.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

/** A shell whose output cuts a character in two, is resized, and asks for what is blocked. */
async function shell(folder: RecordingFolder): Promise<string> {
  const room = await folder.room({ gateway: 'gw1-2' })
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol: 'ssh' } })
  const say = (text: Uint8Array | string) => entry({ dir: 'out', channel: 3, kind: 'terminal-output', body: Buffer.from(text) })
  const [half, rest] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)]
  const blocked = { act: 'block', rules: ['no-rm'], policy: 'abababababab' } as const
  await recorder.append([
    entry({ channel: 3, kind: 'shell', facts: { pty: true, cols: 100, rows: 30 } }),
    say(Buffer.concat([Buffer.from('caf'), half])),
    say(Buffer.concat([rest, Buffer.from('\r\n$ ')])),
    entry({ channel: 3, kind: 'terminal-resize', facts: { cols: 120, rows: 40 } }),
    entry({ channel: 3, kind: 'line', facts: { sure: true }, body: Buffer.from('rm -rf /'), verdict: blocked }),
    say('\u001b[31mrefused\u001b[0m\r\n'),
  ])
  await recorder.seal('client.left')
  return info.id
}

test('a terminal as an asciicast: asciinema itself plays it, and verdicts are its markers', async (t) => {
  await using folder = await recordingFolder()
  // For the configuration beside it.
  await recorded(folder)
  const id = await shell(folder)
  const out = (name: string): string => join(folder.path, name)
  assert.equal(await exportSession(id, { format: 'asciicast', out: out('a.cast') }, terminal(folder)), 0)
  const [header, comment, ...events] = (await readFile(out('a.cast'), 'utf8')).trimEnd().split('\n')
  assert.deepEqual(JSON.parse(header ?? '').term, { cols: 100, rows: 30 })
  assert.match(
    comment ?? '',
    new RegExp(`^# derived from ${id}, 6 frames.*; not evidence: the recording is; this from frame 0 on$`),
  )
  const parsed = events.map((line): [number, string, string] => JSON.parse(line))
  assert.deepEqual(
    parsed.map(([, code, data]) => [code, data]),
    [
      ['o', 'caf'],
      ['o', 'é\r\n$ '],
      ['r', '120x40'],
      ['m', 'block frame 4: no-rm'],
      ['o', '\u001b[31mrefused\u001b[0m\r\n'],
    ],
  )
  assert.ok(parsed.every(([since]) => since >= 0))
  assert.equal(await exportSession(id, { format: 'asciicast-v2', out: out('b.cast') }, terminal(folder)), 0)
  const asciinema = clientHere(t, 'asciinema')
  if (asciinema !== undefined) {
    const ran = spawnSync(asciinema, ['cat', out('b.cast')], { encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    assert.equal(ran.stdout, 'café\r\n$ \u001b[31mrefused\u001b[0m\r\n')
  }
})

test('statements as OCSF events and as CSV; the ledger knows the hash of what left', async (t) => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const path = join(folder.path, 'a.ocsf.jsonl')
  assert.equal(await exportSession(id, { format: 'ocsf', out: path, reason: 'case 7' }, terminal(folder)), 0)
  const bytes = await readFile(path)
  const events = bytes
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))
  assert.deepEqual(
    events.map(({ class_uid, activity_id, type_uid, action_id, disposition_id, status_id }) => [
      class_uid,
      activity_id,
      type_uid,
      action_id,
      disposition_id,
      status_id,
    ]),
    [
      [6005, 4, 600504, 1, 1, 2],
      [6005, 99, 600599, 2, 2, 2],
    ],
  )
  // What OCSF requires of every event, and of its objects.
  for (const event of events) {
    for (const name of ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'])
      assert.ok(event[name] !== undefined, name)
    const { metadata, unmapped, query_info } = event as Record<string, Record<string, unknown>>
    assert.equal(metadata?.['version'], '1.8.0')
    assert.ok(typeof query_info?.['query_string'] === 'string')
    assert.equal(unmapped?.['session'], id)
  }
  let last: Record<string, unknown> = {}
  for await (const { entry: one } of readLines(folder.store)) if (one !== undefined) last = one.statement
  assert.deepEqual(
    [last['type'], last['format'], last['sha256'], last['sessionIds'], last['reason']],
    ['export.create', 'ocsf', createHash('sha256').update(bytes).digest('hex'), [id], 'case 7'],
  )

  const csv = join(folder.path, 'a.csv')
  assert.equal(await exportSession(id, { format: 'csv', out: csv }, terminal(folder)), 0)
  const python = clientHere(t, 'python3')
  if (python !== undefined) {
    const script =
      'import csv,sys,json; print(json.dumps([[r["frame"], r["text"], r["verdict"]] for r in csv.DictReader(open(sys.argv[1]))]))'
    const ran = spawnSync(python, ['-c', script, csv], { encoding: 'utf8' })
    assert.deepEqual(JSON.parse(ran.stdout), [
      ['0', 'SELECT 1', ''],
      ['2', 'DROP TABLE orders', 'block'],
    ])
  }
})

test('a shell in the words of OCSF and as CSV, a database as ASIM, Parquet and packets: each names where it is from', async () => {
  await using folder = await recordingFolder()
  const database = await recorded(folder)
  const ssh = await shell(folder)
  const exported = async (id: string, format: ExportFormat): Promise<Buffer> => {
    const out = join(folder.path, `${format}-${id}`)
    assert.equal(await exportSession(id, { format, out }, terminal(folder)), 0)
    return readFile(out)
  }
  const events = async (id: string, format: ExportFormat): Promise<readonly Record<string, unknown>[]> =>
    (await exported(id, format))
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  const ledger = await StoreLedger.open({ store: folder.store, gateway: 'gw1-cli', signer: folder.signer })
  await ledger.publish()
  await ledger.close()
  const [, line] = await events(ssh, 'ocsf')
  const { process, class_uid, disposition_id, unmapped } = line as Record<string, Record<string, unknown>>
  assert.deepEqual([class_uid, process?.['cmd_line'], disposition_id], [1007, 'rm -rf /', 2])
  const derived = `derived from ${ssh}, 6 frames, as of checkpoint `
  assert.ok(String(unmapped?.['derived']).startsWith(derived), String(unmapped?.['derived']))
  const table = readCsv((await exported(ssh, 'csv')).toString('utf8'))
  assert.deepEqual(
    table.map((row) => [row.get('text'), row.get('verdict'), row.get('derived')?.startsWith(derived)]),
    [
      ['shell', '', true],
      ['rm -rf /', 'block', true],
    ],
  )
  const [first] = await events(database, 'asim')
  assert.deepEqual([first?.['EventSchema'], first?.['EventType'], first?.['Operation']], ['AuditEvent', 'Read', 'SELECT 1'])
  assert.equal((await exported(database, 'parquet')).subarray(0, 4).toString(), 'PAR1')
  assert.ok((await exported(database, 'pcapng')).includes(`derived from ${database}, 5 frames, as of checkpoint `))
  // Nothing is wrong with the tape.
  await assert.rejects(exported(database, 'har'), {
    code: 'API_INVALID',
    message: /is a session of postgres, of which no har can be made/,
  })
  await assert.rejects(exported(ssh, 'pcapng'), { code: 'API_INVALID' })
})

test('what cannot be exported, or noted, leaves no file', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const out = join(folder.path, 'no.cast')
  await assert.rejects(exportSession(id, { format: 'asciicast', out }, terminal(folder)), { code: 'API_INVALID' })
  assert.equal(existsSync(out), false)
  const config = join(folder.path, 'sallyport.yaml')
  await writeFile(config, `${await readFile(config)}ledger: { origin: another.example/log }\n`)
  await assert.rejects(exportSession(id, { format: 'csv', out }, terminal(folder)), { code: 'CONFIG_INVALID' })
  assert.equal(existsSync(out), false)
})

test('a file has its name when the ledger knows of it; one that is there is not written over', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const out = join(folder.path, 'a.csv')
  const part = `${out}.part-${process.pid}`
  let seen: readonly boolean[] = []
  const options: ExportOptions = {
    format: 'csv',
    out,
    // Read where the ledger's entry is put together.
    get reason() {
      seen = [existsSync(part), existsSync(out)]
      return 'case 7'
    },
  }
  assert.equal(await exportSession(id, options, terminal(folder)), 0)
  assert.deepEqual(seen, [true, false])
  assert.deepEqual([existsSync(part), existsSync(out)], [false, true])
  await writeFile(out, 'mine')
  await assert.rejects(exportSession(id, { format: 'csv', out }, terminal(folder)), { code: 'STORE_CONFLICT' })
  assert.equal(await readFile(out, 'utf8'), 'mine')
})

test('an export that is interrupted leaves nothing, and the ledger knows of none', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  const typesOf = async (): Promise<readonly unknown[]> => {
    const types: unknown[] = []
    for await (const { entry: one } of readLines(folder.store)) types.push(one?.statement['type'])
    return types
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const listening = process.listenerCount(signal)
    const files = await readdir(folder.path)
    const options: ExportOptions = {
      format: 'csv',
      out: join(folder.path, 'a.csv'),
      // Read when all is written. The signal itself would reach the test's runner as well.
      get keyFile() {
        assert.ok(existsSync(join(folder.path, `a.csv.part-${process.pid}`)))
        process.listeners(signal).at(-1)?.(signal)
        return '/dev/null'
      },
    }
    await assert.rejects(exportSession(id, options, terminal(folder)), /interrupted; nothing of the export is left/)
    assert.deepEqual(await readdir(folder.path), files)
    assert.equal(process.listenerCount(signal), listening)
  }
  assert.equal((await typesOf()).includes('export.create'), false)
})
