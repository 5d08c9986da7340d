import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { LARGE_BYTES, roomForLarge } from '../../../../gateway/protocols/http/large-bodies.ts'
import { httpGateway } from '../../../support/http-gateway.ts'

const MAX_LARGE = 8
const GOES_ON = new AbortController().signal

test('of each subject so many are held at once; others wait in turn, or leave', async () => {
  const first = await Promise.all(Array.from({ length: MAX_LARGE }, () => roomForLarge('ada', GOES_ON)))
  const others = await roomForLarge('grace', GOES_ON)
  const order: string[] = []
  const left = new AbortController()
  const told = async (name: string): Promise<() => void> => {
    const leave = await roomForLarge('ada', GOES_ON)
    order.push(name)
    return leave
  }
  const waiting = [
    roomForLarge('ada', left.signal).catch((error: unknown) => void order.push(String(error))),
    told('second'),
    told('third'),
  ] as const
  left.abort('left')
  await waiting[0]
  assert.deepEqual(order, ['left'])
  for (const leave of [first[0], first[0], first[1]]) leave?.()
  const [, second, third] = await Promise.all(waiting)
  assert.deepEqual(order, ['left', 'second', 'third'])
  for (const leave of [...first.slice(2), second, third, others]) leave?.()
  await assert.rejects(roomForLarge('ada', AbortSignal.abort('gone')), (reason) => reason === 'gone')
  for (const leave of await Promise.all(Array.from({ length: MAX_LARGE }, () => roomForLarge('ada', GOES_ON)))) leave()
})

test('requests that unpack to megabytes reach their target a few at a time', { timeout: 60_000 }, async () => {
  const held: (() => void)[] = []
  const target = (request: IncomingMessage, response: ServerResponse): void => {
    request.resume()
    request.on('end', () => held.push(() => response.end('ok')))
  }
  await using gateway = await httpGateway(target, { policy: 'version: 1\nrules: []\n' })
  const headers = {
    authorization: `Bearer ${gateway.keys.agent}`,
    'content-type': 'application/json',
    'content-encoding': 'gzip',
  }
  const post = async (size: number): Promise<number> =>
    (await fetch(gateway.url, { method: 'POST', headers, body: gzipSync(JSON.stringify('x'.repeat(size))) })).status
  const large = Array.from({ length: MAX_LARGE + 2 }, () => post(LARGE_BYTES + 64 * 1024))
  while (held.length < MAX_LARGE) await wait(10)
  const small = post(1000)
  while (held.length < MAX_LARGE + 1) await wait(10)
  await wait(200)
  assert.equal(held.length, MAX_LARGE + 1)
  for (let answered = 0; answered < MAX_LARGE + 3; ) {
    const answer = held[answered]
    answer?.()
    if (answer === undefined) await wait(10)
    else answered++
  }
  assert.deepEqual(new Set(await Promise.all([small, ...large])), new Set([200]))
})

test('an answer that is too large to be held whole takes its room until its beginning has passed, however long the rest takes', {
  timeout: 60_000,
}, async () => {
  const endless = (response: ServerResponse): void => void response.write(`"${'x'.repeat(17 * 1024 * 1024)}`)
  const target = ({ url }: IncomingMessage, response: ServerResponse): void => {
    response.setHeader('content-type', 'application/json')
    if (url === '/endless') endless(response)
    else response.end(JSON.stringify('x'.repeat(LARGE_BYTES + 64 * 1024)))
  }
  await using gateway = await httpGateway(target, { policy: 'version: 1\nrules: []\n' })
  const headers = { authorization: `Bearer ${gateway.keys.agent}` }
  const others = await Promise.all(Array.from({ length: MAX_LARGE - 1 }, () => roomForLarge('agent-7', GOES_ON)))
  const stop = new AbortController()
  try {
    const { body } = await fetch(`${gateway.url}/endless`, { headers, signal: stop.signal })
    let size = 0
    const reading = (async () => {
      for await (const piece of body ?? []) size += piece.length
    })().catch(() => undefined)
    const whole = await fetch(`${gateway.url}/large`, { headers, signal: AbortSignal.timeout(20_000) })
    assert.equal((await whole.text()).length, LARGE_BYTES + 64 * 1024 + 2)
    assert.ok(size > 16 * 1024 * 1024)
    stop.abort()
    await reading
  } finally {
    stop.abort()
    for (const leave of others) leave()
  }
})
