import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Conversation, MAX_NAMES } from '../../../../gateway/protocols/postgres/conversation.ts'
import { fakeParts } from '../../../support/fakes.ts'
import { answers, LABELLED, PLAIN, says, testColumns, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, meanwhile, play, server } from '../../../support/play.ts'

const NAME = 'Ada Lovelace'
const plainColumn = answers.columns({ name: 'x', table: PLAIN, attribute: 1 })
const labelledColumn = answers.columns({ name: 'x', table: LABELLED, attribute: 1 })
const drop = clientGets(() => undefined)
const masked = clientGets((bytes) => assert.ok(!bytes.includes(NAME) && bytes.includes('[MASKED:name')))
const run = [says.bind('', 's'), says.execute(), says.sync()] as const
const prepare = [
  client(says.parse('s', 'select x from u'), says.describe('S', 's'), says.sync()),
  server(answers.parsed(), answers.noParameters(), plainColumn, answers.ready()),
  drop,
] as const

test('a statement described once is not described again', async () => {
  await play(testWire(), fakeParts(), [
    ...prepare,
    client(...run),
    server(answers.bound(), answers.row('1'), answers.done(), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.includes('1'))),
  ])
})

for (const change of [
  'drop table u',
  'set search_path = secret',
  'select meddle()',
  "rollback prepared 'x'",
  'do $$begin end$$',
]) {
  test(`after "${change}" a name may mean another table, so a prepared statement is described anew`, async () => {
    await play(testWire(), fakeParts(), [
      ...prepare,
      client(says.query(change)),
      server(answers.done(), answers.ready()),
      drop,
      client(...run),
      server(answers.bound(), labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
      masked,
    ])
  })
}

test('a prepared statement is described anew once the target’s catalog has been read anew, whoever changed something there', async () => {
  const columns = { ...testColumns, edition: {} as object }
  const readAnew = meanwhile(() => {
    columns.edition = {}
  })
  await play(testWire({ columns }), fakeParts(), [
    ...prepare,
    client(...run),
    server(answers.bound(), answers.row('1'), answers.done(), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.includes('1'))),
    readAnew,
    client(...run),
    server(answers.bound(), labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('what a transaction undoes at its end is not counted on after it', async () => {
  await play(testWire(), fakeParts(), [
    client(says.query('begin'), says.query('create temp table u (x text) on commit drop')),
    server(answers.done('BEGIN'), answers.ready('T'), answers.done('CREATE TABLE'), answers.ready('T')),
    client(says.parse('s', 'select x from u'), says.describe('S', 's'), says.sync(), says.query('commit')),
    server(answers.parsed(), answers.noParameters(), plainColumn, answers.ready('T'), answers.done('COMMIT'), answers.ready()),
    drop,
    client(...run),
    server(answers.bound(), labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('a portal keeps the plan it was bound with, whatever its statement is described as later', async () => {
  await play(testWire(), fakeParts(), [
    ...prepare,
    client(says.query('begin'), says.query('set search_path = secret')),
    server(answers.done('BEGIN'), answers.ready('T'), answers.done('SET'), answers.ready('T')),
    client(
      says.bind('', 's'),
      says.sync(),
      says.parse('', 'set search_path = public'),
      says.bind('set', ''),
      says.execute('set'),
      says.sync(),
    ),
    server(
      answers.bound(),
      answers.ready('T'),
      answers.parsed(),
      answers.bound(),
      answers.noData(),
      answers.done('SET'),
      answers.ready('T'),
    ),
    client(says.describe('S', 's'), says.sync(), says.execute(), says.sync()),
    server(answers.noParameters(), plainColumn, answers.ready('T'), labelledColumn),
    drop,
    server(answers.row(NAME), answers.done(), answers.ready('T')),
    masked,
  ])
})

test('names and unanswered requests have a limit', () => {
  const names = new Conversation()
  for (let name = 0; name <= MAX_NAMES; name++) names.define(`statement:${name}`, 'prepare')
  assert.throws(() => names.check(), { code: 'PROTOCOL_OVERSIZE' })
  const texts = new Conversation()
  for (let text = 0; text <= MAX_NAMES; text++) texts.define('statement:s', `prepare ${text}`)
  assert.throws(() => texts.check(), { code: 'PROTOCOL_OVERSIZE' }, 'many texts under one name are many')
})

const portal = (parameters: Uint8Array = new Uint8Array(0)) => ({ statements: [], generation: 0, resultFormats: [], parameters })

function ready(talk: Conversation, status: string): void {
  talk.sync()
  talk.ready(status.charCodeAt(0))
}

test('a driver that names every portal anew may do so for ever: they are gone with their transaction', () => {
  const talk = new Conversation()
  for (let name = 0; name <= 2 * MAX_NAMES; name++) {
    talk.portals.propose(`C_${name}`, portal(), 0)
    talk.portals.confirm()
    ready(talk, 'I')
    talk.check()
  }
  assert.deepEqual(talk.portals.candidates('C_7', 1), [], 'what executes it now is not known here')
  talk.portals.propose('C_7', portal(), 0)
  talk.portals.confirm()
  talk.portals.propose('C_8', portal(), 1)
  ready(talk, 'T')
  assert.equal(talk.portals.candidates('C_7', 1).length, 1, 'in a transaction they stay')
  ready(talk, 'I')
  assert.equal(talk.portals.candidates('C_8', 1).length, 1, 'and one whose answer has not come is of the next')
})

test('so may one that names every cursor anew; what is held stays, as do statements', () => {
  const talk = new Conversation()
  for (let name = 0; name <= 2 * MAX_NAMES; name++) {
    talk.define(`cursor:c${name}`, `declare c${name} cursor for select 1`)
    ready(talk, 'T')
    assert.equal(talk.prepared.size, 1)
    ready(talk, 'I')
    talk.check()
  }
  talk.define('cursor:h', 'declare h cursor with hold for select 2')
  talk.define('cursor:h', 'declare h cursor for select 3')
  talk.define('statement:s', 'prepare s as select 4')
  talk.sync()
  ready(talk, 'I')
  assert.equal(talk.prepared.get('cursor:h')?.size, 2, 'what is under way may be in a transaction of its own')
  talk.ready('I'.charCodeAt(0))
  assert.deepEqual([...talk.prepared.keys()], ['cursor:h', 'statement:s'])
  assert.deepEqual([...(talk.prepared.get('cursor:h')?.keys() ?? [])], ['declare h cursor with hold for select 2'])
})

test('what stands behind names has a limit, whatever their number; what has none goes with its next use', () => {
  const megabyte = new Uint8Array(1024 * 1024)
  const talk = new Conversation()
  for (let count = 0; count < 1_000; count++) {
    talk.portals.propose('', portal(megabyte), 0)
    talk.portals.propose('again', portal(megabyte), 0)
    for (const _ of [1, 2]) talk.portals.confirm()
    talk.check()
  }
  for (let count = 0; count < 127; count++) talk.portals.propose(`p${count}`, portal(megabyte), 7)
  talk.check()
  talk.statements.propose('s', { sql: 'select 1' }, 7)
  assert.throws(() => talk.check(), { code: 'PROTOCOL_OVERSIZE' })
  for (const names of [talk.statements, talk.portals]) names.fail(7)
  talk.check()
  const sql = `select '${'x'.repeat(1024 * 1024)}'`
  for (let count = 0; count < 130; count++) talk.define('cursor:c', `declare c cursor for ${sql} || ${count}`)
  assert.throws(() => talk.check(), { code: 'PROTOCOL_OVERSIZE' })
})

test('settings are digested in order', () => {
  const [one, other] = [new Conversation(), new Conversation()]
  one.changed('set role a')
  one.changed('set role b')
  other.changed('set role b')
  other.changed('set role a')
  assert.notEqual(one.settings, other.settings)
})
