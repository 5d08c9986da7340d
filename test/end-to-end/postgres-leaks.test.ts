import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { Client } from 'pg'
import postgres from 'postgres'
import { APPROVER, type RunningGateway } from '../support/gateway.ts'
import { heldRequest, PEOPLE, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'
import { search, writings } from '../support/tapes-search.ts'

const digits = (count: number): string => Array.from(randomBytes(count), (byte) => byte % 10).join('')
const letters = (count: number): string =>
  Array.from(randomBytes(count), (byte) => String.fromCharCode(97 + (byte % 26))).join('')
const email = (): string => [letters(9), '@', letters(8), '.example'].join('')
const ssn = (): string => ['5', digits(2).replace(/^00$/, '11'), '-', '37', '-', `4${digits(3)}`].join('')
const token = (): string => ['gh', 'p_', randomBytes(27).toString('hex').slice(0, 36)].join('')

/** Makes the gateway see the words in every place where a client or a server can put one. */
async function plant(rig: Rig, words: ReadonlyMap<string, string>): Promise<void> {
  const word = (place: string): string => words.get(place) ?? assert.fail(place)
  const settings = {
    host: '127.0.0.1',
    port: rig.gateway.port,
    user: 'agent',
    password: rig.gateway.folder.keys.agent,
    database: rig.database,
  }
  const client = new Client({ ...settings, application_name: word('application name') })
  await client.connect()
  const fails = (sql: string, values?: unknown[]): Promise<void> => assert.rejects(client.query(sql, values))
  await client.query(`select '${word('statement')}'`)
  await client.query(`-- ${word('comment')}\nselect 1 as "${word('column alias')}"`)
  await client.query('select $1::text, $2::jsonb', [word('parameter'), { deep: [word('json parameter')] }])
  await client.query({ name: 'named', text: `select $1::text || '${word('prepared statement')}'`, values: ['x'] })
  await client.query({ text: 'select length($1::bytea)', values: [Buffer.from(word('binary parameter'))] })
  await client.query(`insert into people (id, note) values (5001, '${word('inserted row')}')`)
  await client.query('select * from people where id = 5001')
  await client.query("select repeat('x', 300000) || note || repeat('y', 300000) from people where id = 5001")
  await fails(`select '${word('error')}'::int`)
  await fails('select $1::text::int', [word('error from a parameter')])
  await client.query(`do $$ begin raise notice '${word('notice')}'; end $$`)
  await client.query('listen news')
  const heard = once(client, 'notification')
  await client.query(`select pg_notify('news', '${word('notification')}')`)
  await heard
  await client.query(`create role leaky login password '${word('new password')}'`)
  await client.query(`set application_name = '${word('setting')}'`)
  await fails(`copy doomed to program 'echo ${word('blocked statement')}'`)
  await fails(`selec ${word('unreadable statement')}`)

  const held = heldRequest(client)
  const running = client.query(`update doomed set id = id + length('${word('held statement')}')`)
  const desk = await rig.gateway.desk()
  await desk.decide(await held, { act: 'reject', reason: 'no' }, APPROVER)
  await assert.rejects(running)
  await client.query('select * from people')
  await client.end()

  const sql = postgres({ ...settings, max: 1, onnotice: () => undefined })
  const into = await sql`copy people (id, note) from stdin`.writable()
  into.end(`5002\t${word('COPY in')}\n`)
  await once(into, 'finish')
  for await (const _ of await sql`copy people to stdout`.readable()) void _
  for await (const _ of sql`select note, ssn, email from people`.cursor(50)) void _
  await sql.end()

  for (const wrong of [
    { ...settings, password: word('wrong key') },
    { ...settings, database: word('unknown target') },
    { ...settings, database: `shop/${word('unknown database')}` },
  ]) {
    const stranger = new Client(wrong)
    stranger.on('error', () => undefined)
    await assert.rejects(stranger.connect())
  }
}

const EMAILS = [
  'application name',
  'statement',
  'comment',
  'column alias',
  'parameter',
  'json parameter',
  'prepared statement',
  'binary parameter',
  'inserted row',
  'error',
  'notice',
  'notification',
  'blocked statement',
  'held statement',
  'COPY in',
  'setting',
  'unknown database',
  'unknown target',
] as const
const OTHERS: readonly (readonly [string, () => string])[] = [
  ['error from a parameter', ssn],
  ['unreadable statement', token],
  ['new password', () => letters(20)],
  ['wrong key', () => letters(30)],
]

function wordsOf(): Map<string, string> {
  return new Map([
    ...EMAILS.map((place) => [place, email()] as const),
    ...OTHERS.map(([place, make]) => [place, make()] as const),
  ])
}

async function written(gateway: RunningGateway): ReturnType<typeof writings> {
  await gateway.stop()
  return writings(gateway.folder.dataDir, gateway.log.text)
}

test('nothing the masker knows, and no credential, is in anything the gateway wrote (P2, P7)', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: PEOPLE_POLICY, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const words = wordsOf()
  await plant(rig, words)
  const texts = await written(rig.gateway)
  assert.ok(texts.length > 100, `only ${texts.length} texts to search`)
  for (const [place, word] of words) {
    await t.test(place, () => assert.deepEqual(search(texts, word).slice(0, 5), []))
  }
  for (const { name, email: address, ssn: number, card } of [PEOPLE[0], PEOPLE[399]].flatMap((one) => one ?? [])) {
    await t.test(`the row of ${name.length} letters`, () => {
      for (const word of [name, address, number, card]) assert.deepEqual(search(texts, word).slice(0, 5), [], word)
    })
  }
  await t.test('credentials', () => {
    const { agent, human, approver } = rig.gateway.folder.keys
    for (const word of [agent, human, approver, rig.server.password]) assert.deepEqual(search(texts, word).slice(0, 5), [])
  })
})

test('the same search finds what is written where masking is off', async (t) => {
  const off = `${PEOPLE_POLICY}\ndetectors: { email: ignore, us-ssn: ignore }\n`
  await using rig = await startRig(t, 'embedded', { policy: off, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const words = wordsOf()
  await plant(rig, words)
  const texts = await written(rig.gateway)
  for (const place of EMAILS.filter((one) => one !== 'unknown target')) {
    await t.test(place, () => assert.notDeepEqual(search(texts, words.get(place) ?? ''), []))
  }
})
