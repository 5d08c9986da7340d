import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexRuns } from '../../../../gateway/protocols/postgres/hex-runs.ts'
import { fakeParts } from '../../../support/fakes.ts'
import { answers, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, play, server, serverGets } from '../../../support/play.ts'

const MAIL = ['lovelace', 'example.org'].join('@')
const hex = (text: string): string => `\\x${Buffer.from(text).toString('hex')}`
const HIDDEN = hex(`write to ${MAIL}`)

test('binary values written out in a text are found, as SQL has them and as COPY does', () => {
  const text = Buffer.from(`select '${hex('123456')}', '\\x12', '\\xzz', '\\${hex('abcdefgh')}'\\x`)
  const found = hexRuns(text, 0, text.length).map(({ from, to }) => text.toString('latin1', from, to))
  assert.deepEqual(found, [hex('123456'), `\\${hex('abcdefgh')}`])
  assert.deepEqual(hexRuns(text, 0, 12), [], 'nothing behind the end is looked at')
})

/** Everything recorded, as text. */
async function recorded(...steps: Parameters<typeof play>[2]): Promise<string> {
  const parts = fakeParts()
  await play(testWire(), parts, steps)
  return parts.recorder.entries.map(({ body }) => Buffer.from(body ?? []).toString('latin1')).join('\n')
}

test('what a client writes as hex is masked on the tape, and goes to the server as it came', async () => {
  const sent = serverGets((bytes) => assert.ok(bytes.includes(HIDDEN)))
  const clean = hex('nothing to see')
  const tape = await recorded(
    client(says.query(`insert into t values ('${HIDDEN}', '${clean}')`)),
    sent,
    client(says.parse('', 'insert into t values ($1)'), says.bind('', '', [HIDDEN]), says.execute(), says.sync()),
    sent,
  )
  assert.ok(!tape.includes(HIDDEN.slice(2)) && tape.includes(clean))
  assert.equal(tape.match(/\[MASKED:email:/g)?.length, 2)
})

test('copied data, both ways', async () => {
  const line = `1\t\\${HIDDEN}\tend\n`
  const tape = await recorded(
    client(says.query('copy t from stdin')),
    serverGets(() => undefined),
    server(answers.copyIn()),
    clientGets(() => undefined),
    client(says.copyData(line), says.copyDone()),
    serverGets((bytes) => assert.ok(bytes.includes(HIDDEN))),
    server(answers.done('COPY 1'), answers.ready()),
    clientGets(() => undefined),
    client(says.query('copy t to stdout')),
    serverGets(() => undefined),
    server(answers.copyOut(0, 3), answers.copyData(line), answers.copyData('2\tclean\tend\n')),
    clientGets((bytes) => {
      assert.ok(!bytes.includes(HIDDEN.slice(2)) && bytes.includes('2\tclean\tend\n'))
      assert.match(bytes.toString('latin1'), /1\t\[MASKED:email:[0-9a-f]{12}\]\tend\n/)
    }),
  )
  assert.ok(!tape.includes(HIDDEN.slice(2)))
})
