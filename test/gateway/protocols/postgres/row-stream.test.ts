import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALLOW, fakeParts, scriptedJudge } from '../../../support/fakes.ts'
import { answers, LABELLED, PLAIN, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, play, server, serverGets } from '../../../support/play.ts'

const MAIL = ['lovelace', 'example.org'].join('@')
const columns = [
  { name: 'x', table: PLAIN },
  { name: 'y', table: PLAIN },
  { name: 'z', table: LABELLED },
]

test('a row of three megabytes goes through in parts of the same size, with the secrets that straddle their borders masked', async () => {
  const filler = 'word '.repeat(26_214)
  const row = Buffer.from(answers.row(`${filler}${MAIL} `.repeat(24), null, 'N'.repeat(5_000)))
  const at = row.indexOf(MAIL)
  for (const border of [at + 1, at + 9, at + MAIL.length - 1]) {
    const parts = fakeParts()
    let size = 0
    const pieces: Buffer[] = []
    const collect = clientGets((bytes) => {
      size += bytes.length
      pieces.push(bytes)
    })
    await play(testWire(), parts, [
      client(says.query('select x from t')),
      server(answers.columns(...columns)),
      clientGets(() => undefined),
      ...[
        row.subarray(0, border),
        row.subarray(border, border + 3),
        row.subarray(border + 3, 2_000_000),
        row.subarray(2_000_000),
      ].flatMap((part) => [server(part), collect]),
      server(answers.done(), answers.ready()),
      clientGets((bytes) => assert.ok(bytes.includes('SELECT'))),
    ])
    const got = Buffer.concat(pieces)
    assert.equal(size, row.length, 'its length word went out with the first part')
    assert.ok(!got.includes(MAIL) && !got.includes('lovelace'))
    assert.ok(!got.includes('NNNN'), 'a labelled cell is covered whole')
    assert.ok(got.includes(Buffer.from([0xff, 0xff, 0xff, 0xff])), 'NULL stays NULL')
    const taped = Buffer.concat(parts.recorder.entries.map(({ body }) => Buffer.from(body ?? [])))
    assert.ok(!taped.includes(MAIL) && taped.includes(got), 'the tape has what the client got')
  }
})

test('a large row does not pass where nobody described it', async () => {
  const row = Buffer.from(answers.row('x'.repeat(300_000)))
  const asked = client(says.query('select x from t'))
  await assert.rejects(play(testWire(), fakeParts(), [asked, server(row.subarray(0, 100_000))]), { code: 'PROTOCOL_MALFORMED' })
})

test('COPY data too large to hold goes to the server as it came, and masked to the tape', async () => {
  const parts = fakeParts()
  const data = Buffer.from(says.copyData(`${'x '.repeat(150_000)}${MAIL} ${'y '.repeat(10_000)}`))
  const sent: Buffer[] = []
  await play(testWire(), parts, [
    client(says.query('copy t from stdin')),
    server(answers.copyIn()),
    serverGets(() => undefined),
    ...[data.subarray(0, 200_000), data.subarray(200_000, 300_010), data.subarray(300_010)].flatMap((part) => [
      client(part),
      serverGets((bytes) => sent.push(bytes)),
    ]),
  ])
  assert.ok(Buffer.concat(sent).equals(data))
  const taped = Buffer.concat(parts.recorder.entries.map(({ body }) => Buffer.from(body ?? [])))
  assert.ok(!taped.includes(MAIL))
})

test('a mask in a CopyData too large to hold is told of in the part that ends it', async () => {
  const large = says.copyData(`${'x'.repeat(400_000)}[MASKED:email:7f3a91c204be]`)
  const cut = large.indexOf('[MASKED') + 4
  const seen: unknown[] = []
  const judge = scriptedJudge((message) => {
    if (message.from === 'client' && message.kind === 'copy-data') seen.push(message.facts()['masked_write'] ?? message.part)
    return ALLOW
  })
  const sent = serverGets(() => undefined)
  await play(testWire(), fakeParts({ judge }), [
    client(says.query('copy t from stdin')),
    sent,
    server(answers.copyIn()),
    clientGets(() => undefined),
    client(large.subarray(0, 300_000)),
    sent,
    client(large.subarray(300_000, cut)),
    sent,
    client(large.subarray(cut)),
    sent,
  ])
  assert.deepEqual(seen, ['first', 'middle', true])
})
