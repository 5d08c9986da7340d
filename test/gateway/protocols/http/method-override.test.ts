import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as ask, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { refuseOverride } from '../../../../gateway/protocols/http/method-override.ts'
import { httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const NAMES = ['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override', 'X_HTTP_METHOD_OVERRIDE', 'x-method']

test('a header that names another method is refused, one that names the same is not', () => {
  for (const name of NAMES) {
    for (const value of ['DELETE', ' delete', 'GET, DELETE', ''])
      assert.throws(
        () =>
          refuseOverride({
            method: 'GET',
            target: '/',
            headers: [
              ['a', 'b'],
              [name, value],
            ],
          }),
        {
          code: 'PROTOCOL_UNSUPPORTED',
        },
      )
    refuseOverride({ method: 'DELETE', target: '/', headers: [[name, 'Delete ']] })
    // Of two the target may take either.
    const twice = [
      [name, 'GET'],
      [name, 'PUT'],
    ] as const
    assert.throws(() => refuseOverride({ method: 'GET', target: '/', headers: twice }), { code: 'PROTOCOL_UNSUPPORTED' })
  }
  refuseOverride({ method: 'GET', target: '/', headers: [['x-methods', 'DELETE']] })
})

test('no request reaches a target as another method than it is judged by, plain or as an upgrade; the tape has it', async () => {
  const seen: string[] = []
  await using gateway = await httpGateway((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.end('ok')
  })
  const fetched = (path: string, headers: Readonly<Record<string, string>>) =>
    fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${gateway.keys.agent}`, ...headers } })
  for (const name of NAMES) {
    const refused = await fetched('/refused', { [name]: 'DELETE' })
    assert.equal(refused.status, 400)
    assert.equal(JSON.parse(await refused.text()).code, 'PROTOCOL_UNSUPPORTED')
  }
  assert.equal(await (await fetched('/same', { 'x-http-method': 'GET' })).text(), 'ok')
  const upgrade = ask(`${gateway.url}/refused`, {
    headers: {
      authorization: `Bearer ${gateway.keys.agent}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      'x-http-method-override': 'DELETE',
    },
  }).end()
  const [answer]: [IncomingMessage] = await Promise.race([
    once(upgrade, 'response') as Promise<[IncomingMessage]>,
    once(upgrade, 'upgrade') as Promise<[IncomingMessage]>,
  ])
  assert.equal(answer.statusCode, 400)
  answer.resume()
  assert.deepEqual(seen, ['GET /same'])
  await gateway.stop()
  const frames = await Promise.all((await sessionsOf(gateway.dataDir)).map(({ id }) => framesOf(gateway.dataDir, id)))
  const asked = frames.flat().filter(({ facts }) => facts?.['path'] === '/refused')
  assert.equal(asked.length, NAMES.length + 1)
})
