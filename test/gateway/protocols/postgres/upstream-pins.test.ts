import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { pin } from '../../../../gateway/protocols/postgres/upstream-pins.ts'
import { binaryMessage } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import { PgPeer, says } from '../../../support/pg-peer.ts'

const never = new AbortController().signal

test('settings that are in force cost no round trip', async () => {
  const [near] = duplexPair()
  const parameters = new Map([
    ['client_encoding', 'UTF8'],
    ['standard_conforming_strings', 'on'],
    ['x', 'y'],
  ])
  assert.equal(await pin(near, parameters, never), parameters)
})

test('a setting never reported is set and asked for; a server that keeps another is refused', async () => {
  const run = async (answer: string): Promise<ReadonlyMap<string, string>> => {
    const [near, far] = duplexPair()
    const peer = new PgPeer(far)
    const pinning = pin(near, new Map([['client_encoding', 'UTF8']]), never)
    pinning.catch(() => {}) // the caller looks
    assert.match(
      (await peer.packet())?.body.toString() ?? '',
      /^SET standard_conforming_strings = 'on'; SHOW standard_conforming_strings/,
    )
    await peer.say(
      binaryMessage('D', Buffer.concat([Buffer.from([0, 1, 0, 0, 0, answer.length]), Buffer.from(answer)])),
      says.ready(),
    )
    return pinning
  }
  assert.equal((await run('on')).get('standard_conforming_strings'), 'on')
  await assert.rejects(run('off'), (error) => error instanceof ApplianceError && error.code === 'TARGET_REFUSED')
})
