import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { PcapNg } from '../../../gateway/exports/pcapng.ts'
import { BACKEND, message } from '../../../gateway/protocols/postgres/messages.ts'
import type { Frame } from '../../../schemas/frame.ts'
import type { SessionInfo } from '../../../schemas/session.ts'
import { clientHere } from '../../support/clients.ts'
import { framesOf, infoOf } from '../../support/frames.ts'
import { COMPLETE, REFUSAL } from '../../support/recorded-session.ts'

const BLOCKED = { act: 'block', rules: ['no-drop'], policy: 'abababababab', approval: 'A-1' } as const

function captured(session: SessionInfo, frames: readonly Frame[]): Uint8Array {
  const capture = new PcapNg(session, { session: session.id, frames: frames.length, checkpoint: 'log.example 7 cm9vdA==' }, '0')
  return Buffer.concat([...capture.begin(), ...frames.flatMap((frame) => [...capture.add(frame)]), ...capture.end()])
}

/** The fields of every packet, as tshark reads them; undefined where there is none. Checksums are checked on the way. */
async function dissected(
  t: TestContext,
  bytes: Uint8Array,
  fields: readonly string[],
  filter = '',
): Promise<readonly (readonly string[])[] | undefined> {
  const tshark = clientHere(t, 'tshark')
  if (tshark === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-capture-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'a.pcapng')
  await writeFile(path, bytes)
  const read = (...args: readonly string[]): string => {
    const checks = ['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE']
    const ran = spawnSync(tshark, ['-r', path, '-n', ...checks, ...args], { encoding: 'utf8', maxBuffer: 1 << 26 })
    assert.equal(ran.status, 0, ran.stderr)
    return ran.stdout
  }
  const wrong =
    '_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission || tcp.checksum.status == 0 || ip.checksum.status == 0'
  assert.equal(read('-Y', wrong), '')
  const out = read(
    '-T',
    'fields',
    '-E',
    'separator=/t',
    ...fields.flatMap((field) => ['-e', field]),
    ...(filter === '' ? [] : ['-Y', filter]),
  )
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

test('tshark reads what PostgreSQL recorded: statements, rows and refusals, with a comment of the frame and the verdict', async (t) => {
  const startup = Buffer.concat([Buffer.from([0, 0, 0, 18, 0, 3, 0, 0]), Buffer.from('user\0ann\0\0')])
  startup.writeUInt32BE(startup.length)
  const large = 'x'.repeat(150_000)
  const row = message(BACKEND.dataRow, Buffer.from([0, 1, 0, 0, 0, 5]), Buffer.from('al***'))
  const bytes = captured(
    infoOf('postgres'),
    framesOf(
      { kind: 'startup', body: startup },
      { kind: 'query', body: serialize.query('SELECT email FROM people') },
      { dir: 'out', kind: 'reply', body: Buffer.concat([row, COMPLETE]), verdict: { ...BLOCKED, act: 'mask', rules: ['pii'] } },
      { kind: 'query', body: serialize.query('DROP TABLE orders'), verdict: BLOCKED },
      { dir: 'out', kind: 'refusal', body: REFUSAL },
      { dir: 'note', kind: 'approval', body: Buffer.from('nobody is sent this') },
      { kind: 'query', body: serialize.query(`SELECT '${large}'`) },
    ),
  )
  const packets = await dissected(t, bytes, ['frame.comment', 'pgsql.type', 'pgsql.query', 'pgsql.val.data', 'pgsql.code'])
  if (packets === undefined) return
  const said = packets.filter(([comment]) => comment !== '')
  assert.deepEqual(
    said.slice(0, 5).map(([, ...fields]) => fields),
    [
      ['Startup message', '', '', ''],
      ['Simple query', 'SELECT email FROM people', '', ''],
      ['Data row,Command completion', '', Buffer.from('al***').toString('hex'), ''],
      ['', '', '', ''],
      ['Error', '', '', '42501'],
    ],
  )
  assert.equal(said[2]?.[0], 'frame 2 reply | mask pii | policy abababababab | approval A-1')
  assert.match(said[3]?.[0] ?? '', /^frame 3 query \| block no-drop .*; not sent on: Q.*DROP TABLE orders/)
  const queries = await dissected(t, bytes, ['pgsql.query'], 'pgsql.query')
  assert.equal(queries?.at(-1)?.[0]?.length, `SELECT '${large}'`.length)
  const [first] = (await dissected(t, bytes, ['ip.src', 'tcp.srcport', 'ip.dst', 'tcp.dstport', 'frame.time_epoch'])) ?? []
  assert.deepEqual(first, ['127.0.0.1', '40000', '127.0.0.1', '5432', '1795171910.123000000'])
})

test('tshark reads exchanges of HTTP, each on a connection of its own, whatever its body came in', async (t) => {
  const head = 'POST /v1/items HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n'
  const answer = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n'
  const bytes = captured(
    infoOf('http', { client: '[::1]:5', target: { ...infoOf('http').target, host: 'api.internal' } }),
    framesOf(
      { kind: 'request', channel: 1, facts: { method: 'POST' }, body: Buffer.from(`${head}{"a":1}`) },
      { kind: 'request', channel: 2, facts: { method: 'POST' }, body: Buffer.from(head) },
      { dir: 'out', kind: 'response', channel: 1, body: Buffer.from(`${answer}{"id":7}`) },
      { kind: 'request-body', channel: 2, body: Buffer.from('{"b":') },
      { kind: 'request-body', channel: 2, body: Buffer.from('2}'), facts: { last: true } },
      { dir: 'out', kind: 'response', channel: 2, body: Buffer.from(answer) },
      { dir: 'out', kind: 'response-body', channel: 2, body: Buffer.from('{"id":8}'), facts: { last: true } },
      { kind: 'ws-input', channel: 2, body: Buffer.from('hello') },
    ),
  )
  const fields = ['tcp.stream', 'http.request.method', 'http.request.uri', 'http.response.code', 'http.file_data']
  const packets = await dissected(t, bytes, fields, 'http')
  if (packets === undefined) return
  const hex = (text: string): string => Buffer.from(text).toString('hex')
  const plain = packets.map(([stream, method, uri, code, data = '']) => [
    stream,
    method,
    uri,
    code,
    /^[0-9a-f]+$/.test(data) ? data : hex(data),
  ])
  assert.deepEqual(plain.sort(), [
    ['0', '', '', '201', hex('{"id":7}')],
    ['0', 'POST', '/v1/items', '', hex('{"a":1}')],
    ['1', '', '', '201', hex('{"id":8}')],
    ['1', 'POST', '/v1/items', '', hex('{"b":2}')],
  ])
})

test('of many connections at once the oldest is closed for the next, and every port is one that clients have', () => {
  const frames = framesOf(
    ...Array.from({ length: 2_500 }, (_, channel) => ({ channel, kind: 'request', body: Buffer.from('GET / HTTP/1.1\r\n\r\n') })),
  )
  const bytes = captured(infoOf('http'), frames)
  assert.ok(bytes.length > 0 && bytes.length < 5 << 20)
})
