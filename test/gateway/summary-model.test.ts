import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../gateway/config.ts'
import { summaryModel } from '../../gateway/summary-model.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { configFolder, GOOD, mistakes } from '../support/config.ts'
import { PEOPLE } from '../support/gateway-people.ts'
import { type Receiver, receiver } from '../support/receiver.ts'

const CONSOLE = `
console:
  address: 127.0.0.1:0
  roles: { investigator: [dba] }
`
const KEY = 'of-this-test'
const env = { SHOP_PASSWORD: 'x', MODEL_KEY: KEY }
/** Lets an agent see addresses in clear, and knows a value of its own. */
const POLICY = `
version: 1
detectors: { card: ignore }
exempt:
  - { who: { kinds: [agent] }, detectors: email }
patterns:
  - { id: badge, regex: 'BADGE-[0-9]{6}' }
rules: []
`
const answered = (content: unknown): string => JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] })

async function modelAt({ url }: Receiver, more = ''): Promise<NonNullable<Awaited<ReturnType<typeof summaryModel>>>> {
  const text = `${GOOD}${CONSOLE}summary: { url: '${url}/v1/chat/completions', key: { env: MODEL_KEY }, timeoutMs: 200${more} }\n`
  await using folder = await configFolder({ 'sallyport.yaml': text, 'policy.yaml': POLICY })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  const model = await summaryModel(settings, { env, fingerprintKey: Buffer.alloc(32, 7) })
  assert.ok(model !== undefined)
  const body = await model.bodyOf(TOLD)
  return { ...model, bodyOf: async () => body }
}

const [person] = PEOPLE
assert.ok(person !== undefined)
const BADGE = ['BADGE', '204417'].join('-')
const TOLD = `frame 3 [complete; 1 rows]: select * from people where email = '${person.email}' or card = '${person.card}' -- ${BADGE} ${person.ssn}`

test('a model is sent what every detector has masked, whatever the policy lets somebody see, under its key', async () => {
  await using there = await receiver()
  const model = await modelAt(there, ', model: small')
  assert.equal(model.host, new URL(there.url).host)
  const body = await model.bodyOf(TOLD)
  there.script.push({ body: answered(' It asked for one person.\n') })
  assert.equal(await model.ask(body), 'It asked for one person.')
  const [got] = there.received
  assert.equal(got?.body, body)
  assert.deepEqual(
    [got?.path, got?.headers['authorization'], got?.headers['content-type']],
    ['/v1/chat/completions', `Bearer ${KEY}`, 'application/json'],
  )
  for (const clear of [person.email, person.card, person.ssn, BADGE]) assert.ok(!body.includes(clear), clear)
  const { model: name, messages, stream } = JSON.parse(body)
  assert.deepEqual([name, stream], ['small', false])
  assert.match(messages[0].content, /never an instruction/)
  assert.match(messages[1].content, /^frame 3 \[complete; 1 rows\]: select \* from people where email = '\[MASKED:email/)
  assert.ok(!body.includes(KEY))
})

test('a key may stand in a header of its own', async () => {
  await using there = await receiver()
  const model = await modelAt(there, ', header: api-key')
  there.script.push({ body: answered('x') })
  await model.ask('{}')
  assert.deepEqual([there.received[0]?.headers['api-key'], there.received[0]?.headers['authorization']], [KEY, undefined])
})

test('what is no summary is none: refusals, redirects, silence, another form, too much; and none of it is told on', async () => {
  await using there = await receiver()
  await using elsewhere = await receiver()
  const model = await modelAt(there)
  const secret = 'what it answered'
  for (const [script, said] of [
    [{ status: 500, body: secret }, /answered 500/],
    [{ status: 302, headers: { location: elsewhere.url } }, /answered 302/],
    ['hang', /no answer/],
    [{ body: secret }, /no chat completion/],
    [{ body: answered('  ') }, /no chat completion/],
    [{ body: answered({ nested: secret }) }, /no chat completion/],
    [{ body: 'null' }, /no chat completion/],
    [{ body: answered('x'.repeat(70_000)) }, /too long/],
  ] as const) {
    there.script.push(script)
    await assert.rejects(model.ask('{}'), (error) => {
      assert.ok(error instanceof ApplianceError && error.code === 'API_UNAVAILABLE')
      assert.match(error.message, said)
      return !error.message.includes(secret) && !error.message.includes(there.url)
    })
  }
  assert.equal(elsewhere.received.length, 0)
  there.script.push({ body: answered('y'.repeat(9_000)) })
  assert.equal((await model.ask('{}')).length, 8_004)
})

test('no model without its configuration; one that would be asked in clear, by nobody, or without its key is refused at start-up', async () => {
  await using folder = await configFolder({ 'sallyport.yaml': GOOD })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  assert.equal(await summaryModel(settings, { env, fingerprintKey: Buffer.alloc(32, 7) }), undefined)
  const text = (summary: string, web = CONSOLE): string => `${GOOD}${web}summary: ${summary}\n`
  assert.match(await mistakes(text("{ url: 'http://models.example/v1' }"), env), /in clear: https, or a loopback address/)
  assert.match(
    await mistakes(text("{ url: 'https://models.example/v1' }", ''), env),
    /asked for at the console, and there is none/,
  )
  assert.match(await mistakes(text("{ url: 'https://models.example/v1', key: { env: NONE } }"), env), /NONE is not set/)
  assert.match(await mistakes(text("{ url: 'https://models.example/v1', header: api-key }"), env), /no key for this header/)
  assert.match(await mistakes(text("{ url: 'https://user@models.example/v1' }"), env), /summary/)
  assert.equal(await mistakes(text("{ url: 'https://models.example/v1?api-version=1', key: { env: MODEL_KEY } }"), env), '')
})
