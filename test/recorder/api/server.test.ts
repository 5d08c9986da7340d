import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { API_BASE } from '../../../schemas/api.ts'
import { type ApiRig, apiRig, keyOf } from '../../support/api.ts'

let rig: ApiRig
before(async () => {
  rig = await apiRig({ headersTimeoutMs: 200 })
})
after(() => rig[Symbol.asyncDispose]())

const here = (): string => `127.0.0.1:${rig.server.port}`

async function socket(from = '127.0.0.1'): Promise<Socket> {
  const made = connect({ host: '127.0.0.1', port: rig.server.port, localAddress: from })
  made.on('error', () => undefined)
  await once(made, 'connect')
  return made
}

test('who sends headers a byte at a time, or nothing at all, is hung up on, while others are answered', async () => {
  const slow = await Promise.all(Array.from({ length: 50 }, () => socket()))
  const gone = Promise.all(slow.map((each) => once(each.resume(), 'close')))
  for (const [index, each] of slow.entries())
    if (index % 2 === 0) each.write(`GET ${API_BASE}/healthz HTTP/1.1\r\nHost: ${here()}\r\nX-A: `)
  assert.equal((await rig.ask('/healthz')).status, 200)
  await gone
})

test('one network holds so many connections and no more; another one is let in', async () => {
  const held: Socket[] = []
  try {
    while (held.length < 400) held.push(...(await Promise.all(Array.from({ length: 50 }, () => socket('127.0.0.2')))))
    const late = await socket('127.0.0.2')
    await once(late.resume(), 'close')
    const other = await socket('127.0.0.3')
    other.write(`GET ${API_BASE}/healthz HTTP/1.1\r\nHost: ${here()}\r\nConnection: close\r\n\r\n`)
    const [bytes] = (await once(other, 'data')) as [Buffer]
    assert.match(bytes.toString('latin1'), /^HTTP\/1\.1 200 /)
    other.destroy()
  } finally {
    for (const each of held) each.destroy()
  }
})

test('addresses and headers beyond any question’s size are refused before they are read', async () => {
  const headers = { authorization: `Bearer ${keyOf('ivan')}` }
  const long = await rig.ask(`/sessions?text=${'x'.repeat(9_000)}`, { headers })
  assert.deepEqual([long.status, long.json.code], [414, 'API_INVALID'])
  assert.equal((await rig.ask('/sessions', { headers: { ...headers, 'x-long': 'x'.repeat(17_000) } })).status, 431)
  const body = await rig.ask('/sign-in', { raw: JSON.stringify({ key: 'x'.repeat(100_000) }) })
  assert.equal(body.status, 413)
  const many = `/sessions?${Array.from({ length: 500 }, (_, n) => `a${n}=1`).join('&')}`
  assert.equal((await rig.ask(many, { headers })).status, 400)
})
