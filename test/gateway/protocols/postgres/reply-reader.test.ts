import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeParts } from '../../../support/fakes.ts'
import { answers, LABELLED, PLAIN, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, play, server } from '../../../support/play.ts'

const NAME = 'Ada Lovelace'
const plainColumn = answers.columns({ name: 'x', table: PLAIN, attribute: 1 })
const labelledColumn = answers.columns({ name: 'x', table: LABELLED, attribute: 1 })
const computed = answers.columns({ name: 'x' })
const outOfStep = { code: 'PROTOCOL_MALFORMED' }
const drop = clientGets(() => undefined)
const masked = clientGets((bytes) => {
  assert.ok(!bytes.includes(NAME), 'a labelled value came through')
  assert.ok(bytes.includes('[MASKED:name'), 'masked, not lost')
})

test('a server message that does not answer the head ends the session', async () => {
  const asked = {
    query: says.query('select 1'),
    parse: says.parse('s', 'select 1'),
    bind: says.bind('', 's'),
    close: says.close('S', 's'),
    sync: says.sync(),
  }
  const wrong = [
    [asked.query, answers.parsed()],
    [asked.query, answers.ready()],
    [asked.query, answers.row('1')],
    [asked.query, answers.copyData('1\n')],
    [asked.query, answers.suspended()],
    [asked.parse, answers.bound()],
    [asked.parse, answers.ready()],
    [asked.parse, plainColumn],
    [asked.bind, answers.parsed()],
    [asked.close, answers.done()],
    [asked.sync, plainColumn],
    [asked.sync, answers.done()],
    [says.flush(), answers.ready()],
    [says.flush(), answers.error()],
    [says.flush(), answers.done()],
  ] as const
  for (const [said, answered] of wrong) {
    await assert.rejects(play(testWire(), fakeParts(), [client(said), server(answered)]), outOfStep, `${said} <- ${answered}`)
  }
})

test('what the server may say at any time never disturbs the turns', async () => {
  await play(testWire(), fakeParts(), [
    server(answers.notice('hello'), answers.notification('jobs', '1'), answers.setting('application_name', 'x')),
    client(says.query('select 1')),
    server(answers.notice('hello'), plainColumn, answers.setting('TimeZone', 'UTC'), answers.row('1'), answers.done()),
    server(answers.notification('jobs', '2'), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.includes('jobs'))),
    server(answers.fatal('terminating connection due to administrator command')),
    clientGets((bytes) => assert.ok(bytes.includes('terminating'))),
  ])
})

test('a row with other columns than were described does not pass', async () => {
  const query = client(says.query('select 1'))
  await assert.rejects(play(testWire(), fakeParts(), [query, server(plainColumn, answers.row('1', NAME))]), outOfStep)
  await assert.rejects(
    play(testWire(), fakeParts(), [query, server(plainColumn, answers.row('1'), answers.done(), answers.row('2'))]),
    outOfStep,
    'the columns of one result are not those of the next',
  )
})

test('a Describe is about the portal it names, not about the one bound beside it', async () => {
  await play(testWire(), fakeParts(), [
    client(says.parse('p', 'select x from t'), says.bind('other', 'p'), says.sync()),
    server(answers.parsed(), answers.bound(), answers.ready()),
    client(says.parse('s', 'select x from u'), says.bind('', 's'), says.describe('P', 'other'), says.execute(), says.sync()),
    server(answers.parsed(), answers.bound(), plainColumn, labelledColumn),
    drop,
    server(answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('a Describe before the Bind is about the portal that was there before', async () => {
  await play(testWire(), fakeParts(), [
    client(says.parse('a', 'select x from t'), says.parse('b', 'select x from u'), says.bind('', 'a'), says.flush()),
    client(says.describe('P'), says.bind('', 'b'), says.execute(), says.sync()),
    server(answers.parsed(), answers.parsed(), answers.bound(), plainColumn, answers.bound(), labelledColumn),
    drop,
    server(answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('a Describe that the server skipped behind an error is not counted on', async () => {
  await play(testWire(), fakeParts(), [
    client(says.parse('s', 'select x from u'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.parse('', 'bad'), says.describe('S', 's'), says.sync(), says.bind('', 's'), says.execute(), says.sync()),
    server(answers.error(), answers.ready(), answers.bound(), labelledColumn),
    drop,
    server(answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('computed columns are judged by the text behind a prepared statement, a cursor, and both together', async () => {
  const answered = server(computed, answers.row(NAME), answers.done(), answers.ready())
  const done = server(answers.done(), answers.ready())
  await play(testWire(), fakeParts(), [
    client(says.query('prepare s as select upper(name) from customers')),
    done,
    drop,
    client(says.query('execute s')),
    answered,
    masked,
    client(says.query('declare c cursor with hold for select upper(name) from customers')),
    done,
    drop,
    client(says.query('fetch all from c')),
    answered,
    masked,
    client(says.query('fetch all from opened_by_a_function')),
    answered,
    masked,
    client(says.parse('e', 'execute s'), says.describe('S', 'e'), says.bind('', 'e'), says.execute(), says.sync()),
    server(answers.parsed(), answers.noParameters(), computed, answers.bound()),
    drop,
    server(answers.row(NAME), answers.done(), answers.ready()),
    masked,
    client(says.query('select upper(x) from t')),
    answered,
    clientGets((bytes) => assert.ok(bytes.includes(NAME), 'what touches nothing labelled passes')),
  ])
})

test('our own Describe is answered to nobody, and its failure is the statement’s', async () => {
  await play(testWire(), fakeParts(), [
    client(says.parse('s', 'select x from t'), says.bind('', 's'), says.execute(), says.sync()),
    server(answers.parsed(), answers.bound(), plainColumn, answers.row('1'), answers.done(), answers.ready()),
    clientGets((bytes) => {
      const expected = [answers.parsed(), answers.bound(), answers.row('1'), answers.done(), answers.ready()]
      assert.deepEqual(bytes, Buffer.concat(expected))
    }),
    client(says.execute('gone'), says.sync()),
    server(answers.error('portal "gone" does not exist'), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.includes('does not exist'))),
  ])
})

test('each column is treated in the format it was asked for', async () => {
  const two = answers.columns({ name: 'x', table: PLAIN, type: 1009 }, { name: 'y', table: PLAIN, type: 1009 })
  const mail = ['ada', 'example.org'].join('@')
  await play(testWire(), fakeParts(), [
    client(
      says.parse('s', 'select x, y from t'),
      says.describe('S', 's'),
      says.bind('', 's', [], [0, 1]),
      says.execute(),
      says.sync(),
    ),
    server(answers.parsed(), answers.noParameters(), two, answers.bound()),
    drop,
    server(answers.row(mail, mail), answers.done(), answers.ready()),
    clientGets((bytes) => {
      assert.ok(!bytes.includes(mail))
      assert.ok(bytes.includes('[MASKED:email'), 'as text')
      assert.ok(bytes.includes(Buffer.of(255, 255, 255, 255)), 'NULL inside a binary structure')
    }),
  ])
})
