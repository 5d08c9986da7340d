import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceLogins } from '../../../gateway/identity/device-logins.ts'

const NOBODY = new AbortController().signal
/** Nothing listens there: what is asked is refused at once. */
const WAY = { issuer: 'http://127.0.0.1:1', clientId: 'cli', scope: 'openid' }

test('codes are asked for so often a minute and no more, from one network and from all', async () => {
  let now = 0
  const logins = new DeviceLogins({ way: WAY, now: () => now })
  const knock = async (client: string): Promise<string> => {
    try {
      return await logins.signIn(client, () => assert.fail('there is no code'), NOBODY)
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error)
    }
  }
  const many = async (count: number, client: (index: number) => string): Promise<string[]> => {
    const codes: string[] = []
    for (let index = 0; index < count; index++) codes.push(await knock(client(index)))
    return codes
  }
  const one = await many(11, () => '192.0.2.7:4711')
  assert.deepEqual(one, [...Array<string>(10).fill('AUTH_UNAVAILABLE'), 'LIMIT_REACHED'])
  const all = await many(51, (index) => `198.51.100.${index}:22`)
  assert.deepEqual(all, [...Array<string>(50).fill('AUTH_UNAVAILABLE'), 'LIMIT_REACHED'])
  now = 60_000
  assert.equal(await knock('192.0.2.7:4711'), 'AUTH_UNAVAILABLE')
})
