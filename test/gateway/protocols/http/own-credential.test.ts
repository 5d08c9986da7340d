import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

// A target that repeats what it was sent: P7, our credential never reaches client, tape or log.

/** Each answers with the credential as it would stand in a text of its own. */
const ANSWERS: Readonly<Record<string, (secret: string, response: ServerResponse) => void>> = {
  text: (secret, response) => void response.setHeader('content-type', 'text/plain').end(`you are ${secret}`),
  json: (secret, response) =>
    void response.setHeader('content-type', 'application/json').end(JSON.stringify({ you: [secret], n: 1 })),
  header: (secret, response) => void response.setHeader('x-you', secret).end('ok'),
  error: (secret, response) => void response.writeHead(401, { 'content-type': 'text/html' }).end(`<p>${secret} is unknown</p>`),
  binary: (secret, response) =>
    void response.setHeader('content-type', 'application/octet-stream').end(among([1, 2, 3, 4], secret)),
  message: (secret, response) =>
    void response
      .setHeader('content-type', 'application/grpc')
      .end(among([0, 0, 0, 0, secret.length + 2, 10, secret.length], secret)),
  packed: (secret, response) => {
    const noise = Array.from({ length: 3_000 }, (_, at) => (at * 7919 + 1) & 0xff)
    response.setHeader('content-type', 'application/octet-stream').end(among(noise, secret))
  },
  async pieces(secret, response) {
    response.setHeader('content-type', 'text/plain')
    for (const piece of [`begun ${secret.slice(0, 7)}`, secret.slice(7, 12), `${secret.slice(12)} over`]) {
      response.write(piece)
      await delay(30)
    }
    response.end()
  },
}

function among(bytes: readonly number[], secret: string): Buffer {
  return Buffer.concat([Buffer.from(bytes), Buffer.from(secret), Buffer.from(bytes)])
}

function origin({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
  const secret = (headers.authorization ?? '').replace(/^\w+ /, '')
  ANSWERS[url.slice(1)]?.(secret, response)
}

test('what cannot be looked for is not sent: while the credential cannot be read nobody gets in, and afterwards it is masked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-own-'))
  try {
    const file = join(folder, 'token')
    await writeFile(file, 'there at the start')
    await using gateway = await httpGateway(origin, { credential: `{ password: { file: ${file} } }` })
    const ask = () => fetch(`${gateway.url}/text`, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
    await rm(file)
    const early = await ask()
    assert.equal(early.status, 502)
    assert.match(await early.text(), /cannot read its own credential/)
    await writeFile(file, gateway.upstreamToken)
    const response = await ask()
    assert.equal(response.status, 200)
    assert.match(await response.text(), /^you are \[MASKED:/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

for (const [how, credential] of [
  ['bearer', '{ password: { env: UPSTREAM } }'],
  ['basic', '{ user: svc, password: { env: UPSTREAM } }'],
] as const)
  test(`a target that repeats the credential it was given is masked: ${how}`, async () => {
    await using gateway = await httpGateway(origin, { credential })
    const { upstreamToken } = gateway
    const sent = how === 'basic' ? Buffer.from(`svc:${upstreamToken}`).toString('base64') : upstreamToken
    for (const name of Object.keys(ANSWERS)) {
      const response = await fetch(`${gateway.url}/${name}`, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
      const all = `${JSON.stringify([...response.headers])}${await response.text()}`
      assert.ok(!all.includes(sent) && !all.includes(sent.slice(0, 12)), `${name}: ${all}`)
      assert.match(all, /\[MASKED:|\*{12}/, name)
    }
    await gateway.stop()
    for (const { id } of await sessionsOf(gateway.dataDir))
      for (const { facts, body } of await framesOf(gateway.dataDir, id))
        assert.ok(!`${JSON.stringify(facts)}${Buffer.from(body ?? '').toString()}`.includes(sent))
  })
