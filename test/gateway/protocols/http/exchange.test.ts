import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { placesIn } from '../../../../gateway/places.ts'
import { openFolderDesk } from '../../../../recorder/desk/desk-folder.ts'
import { httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const POLICY = `
version: 1
rules:
  - { id: ask-export, on: http, match: { path: /export }, action: hold, reason: people decide, approval: { groups: [deciders], timeout: 60s } }
`
const GRACE = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const

async function pendingOf(desk: ReturnType<typeof openFolderDesk>): Promise<string> {
  for (;;) {
    const open = (await desk.list()).find(({ state }) => state === 'pending')
    if (open !== undefined) return open.id
    await wait(20)
  }
}

/** Answers the first request of each connection, and closes it when the next comes: as one that was about to be closed anyway. */
async function forgetful(): Promise<{ readonly port: number; readonly asked: string[] } & Disposable> {
  const asked: string[] = []
  const server = createServer((socket) => {
    let served = 0
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      asked.push(chunk.toString().slice(0, chunk.indexOf(' HTTP/')))
      served++
      if (served > 1) socket.destroy()
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return { port, asked, [Symbol.dispose]: () => void server.close() }
}

test('a safe request that meets a connection about to be closed goes out once more, which the tape tells; no other does', async () => {
  using target = await forgetful()
  await using gateway = await httpGateway(() => undefined, {
    policy: POLICY,
    at: { port: target.port, tls: '{ mode: off }' },
  })
  const ask = async (path: string, method = 'GET'): Promise<number> => {
    const response = await fetch(`${gateway.url}${path}`, { method, headers: { authorization: `Bearer ${gateway.keys.agent}` } })
    await response.text()
    return response.status
  }
  assert.deepEqual([await ask('/a'), await ask('/b')], [200, 200])
  assert.deepEqual(target.asked, ['GET /a', 'GET /b', 'GET /b'])
  assert.equal(await ask('/c', 'POST'), 502, 'it may have been done')
  assert.equal(await ask('/d'), 200)

  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const exported = ask('/export')
  await desk.decide(await pendingOf(desk), { act: 'approve' }, GRACE)
  assert.equal(await exported, 502, 'what a person let through is let through once')
  assert.deepEqual(target.asked.slice(3), ['POST /c', 'GET /d', 'GET /export'])

  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  const told = frames.filter(({ kind }) => kind === 'request' || kind === 'request.repeated' || kind === 'response')
  assert.deepEqual(
    told.slice(0, 5).map(({ kind, channel, facts }) => [kind, channel || facts['channel']]),
    [
      ['request', 1],
      ['response', 1],
      ['request', 2],
      ['request.repeated', 2],
      ['response', 2],
    ],
  )
  assert.equal(told.filter(({ kind }) => kind === 'request.repeated').length, 1)
})
