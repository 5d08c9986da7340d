import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { type Answer, askAt, type Browser, browserOf, listen } from '../support/api.ts'
import { type GatewayFolder, gatewayFolder, HUMAN, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'

const WORKERS = 3
let server: PgServer
let folder: GatewayFolder
let gateway: RunningGateway
let port: number
let ada: Browser
const clients: Client[] = []

before(async () => {
  server = await startPostgres()
  folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], console: true })
  gateway = await spawnGateway(folder, { workers: WORKERS })
  port = Number(new URL(String((await gateway.log.until((line) => line['msg'] === 'console is served'))['url'])).port)
  ada = browserOf(await askAt(port, '/sign-in', { body: { key: folder.keys.human } }), (path, asking) =>
    askAt(port, path, asking),
  )
})
after(async () => {
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  await server.stop()
})

interface Visit {
  readonly client: Client
  readonly session: string
  /** Resolves with the last words the gateway said to it. */
  readonly ended: Promise<string>
}

/** A client and the session it has, whichever worker took it, as the console tells of it. */
async function visit(): Promise<Visit> {
  const news = await listen(port, '/events', { cookie: ada.cookie })
  const client = new Client({
    host: '127.0.0.1',
    port: gateway.port,
    user: 'agent',
    password: folder.keys.agent,
    database: 'shop',
  })
  let told = ''
  client.on('error', ({ message }) => {
    told = told === '' ? message : told
  })
  const ended = new Promise<string>((resolve) => client.once('end', () => resolve(told)))
  clients.push(client)
  await client.connect()
  for (;;) {
    const { event, data } = await news.next()
    if (event !== 'opened') continue
    news.close()
    return { client, session: data.id, ended }
  }
}

const kill = (session: string, reason: string): Promise<Answer> => ada.ask(`/sessions/${session}/kill`, { body: { reason } })

test('sessions of every worker stand in one console, are followed and ended there, each alone', async () => {
  const visits: Visit[] = []
  while (visits.length < WORKERS * 2) visits.push(await visit())
  // Ids name the process: more than one of them was met.
  const processes = new Set(visits.map(({ session }) => session.split('-').slice(1, -1).join('-')))
  assert.ok(processes.size > 1, [...processes].join(' '))
  const tails = await Promise.all(visits.map(({ session }) => listen(port, `/sessions/${session}/live`, { cookie: ada.cookie })))
  for (const [n, { client, session, ended }] of visits.entries()) {
    const tail = tails[n]
    assert.ok(tail !== undefined)
    const { data } = await tail.next()
    assert.equal(data.session, session)
    await client.query(`select 'again ${n}'`)
    for (let { frames } = data; frames <= data.frames; ) frames = (await tail.next()).data.frames
    const answer = await kill(session, `ended ${n}`)
    assert.deepEqual([answer.status, answer.json], [202, { session, killed: true }])
    assert.match(await ended, new RegExp(`${HUMAN} ended this session: ended ${n}`))
    for (let event = ''; event !== 'closed'; ) ({ event } = await tail.next())
    await tail.ended
    // The others go on.
    for (const other of visits.slice(n + 1)) assert.equal((await other.client.query('select 1 as one')).rows[0]?.one, 1)
  }
})

test('a session that has ended, in any worker, cannot be ended again', async () => {
  const { client, session } = await visit()
  await client.end()
  let answer = await kill(session, 'too late')
  // Its socket may still be on its way out.
  while (answer.status === 202) answer = await kill(session, 'too late')
  assert.deepEqual([answer.status, answer.json.code], [409, 'API_CONFLICT'])
})
