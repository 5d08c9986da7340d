import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTimestamp, requestTimestamp } from '../../../recorder/ledger/timestamp.ts'
import { timestampAuthority } from '../../support/timestamp-authority.ts'

const MESSAGE = Buffer.from('example.com/ledger\n7\nroot\n')

test('a token of a real authority states when the bytes existed, and by whom', async () => {
  await using authority = await timestampAuthority()
  const before = Math.floor(Date.now() / 1000) * 1000
  const response = await requestTimestamp(authority.url, MESSAGE)
  const { at, authority: name } = await checkTimestamp(response, MESSAGE, [authority.ca])
  assert.equal(name, 'CN=Test Time, O=Example')
  assert.ok(Date.parse(at) >= before && Date.parse(at) <= Date.now() + 1000, at)
})

test('a token holds for its own bytes, its own root and nothing else', async () => {
  await using authority = await timestampAuthority()
  await using stranger = await timestampAuthority()
  const response = await requestTimestamp(authority.url, MESSAGE)
  await assert.rejects(checkTimestamp(response, Buffer.from('other bytes'), [authority.ca]), { code: 'TAPE_MALFORMED' })
  await assert.rejects(checkTimestamp(response, MESSAGE, [stranger.ca]), { code: 'TAPE_MALFORMED' })
  await assert.rejects(checkTimestamp(response, MESSAGE, []), { code: 'TAPE_MALFORMED' })
  await checkTimestamp(response, MESSAGE, [stranger.ca, authority.ca])
})

test('no changed byte of a token goes unnoticed, or changes what it states', async () => {
  await using authority = await timestampAuthority()
  const response = Buffer.from(await requestTimestamp(authority.url, MESSAGE))
  const genuine = await checkTimestamp(response, MESSAGE, [authority.ca])
  for (let at = 0; at < response.length; at += 7) {
    const changed = Buffer.from(response)
    changed[at] = (changed[at] ?? 0) ^ 0x10
    const result = await checkTimestamp(changed, MESSAGE, [authority.ca]).catch((error: unknown) => error)
    if (!(result instanceof Error)) assert.deepEqual(result, genuine, `byte ${at}`)
  }
})

test('a certificate made for something else states no time', async () => {
  // OpenSSL itself refuses to sign as such an authority, so this one answers nothing usable.
  await using authority = await timestampAuthority('other')
  await assert.rejects(requestTimestamp(authority.url, MESSAGE), { code: 'RECORDER_FAILED' })
})

test('an authority that fails, repeats itself, sends elsewhere or floods is told by name', async () => {
  await using authority = await timestampAuthority()
  await requestTimestamp(authority.url, MESSAGE)
  for (const [mode, words] of [
    ['fail', /answered 503/],
    ['stale', /another request/],
    ['redirect', /no timestamp from/],
    ['flood', /more than 65536 bytes/],
  ] as const) {
    authority.mode = mode
    await assert.rejects(requestTimestamp(authority.url, MESSAGE), (error: Error) => {
      assert.match(error.message, words)
      return 'code' in error && error.code === 'RECORDER_FAILED'
    })
  }
})
