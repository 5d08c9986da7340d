import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GOOD, lineOf, mistakes } from '../support/config.ts'

const TOLD = /with shared\.url each gateway would sign by an authority of its own/
const ENV = { SHOP_PASSWORD: 'x', SHARED_URL: 'postgres://user@host/database' }
const SHARED = 'shared: { url: { env: SHARED_URL } }'
const TARGET = `targets:
  - name: outside
    protocol: egress
    groups: [agents]
    egress:
      allow: [a.example]
      intercept: { hosts: [a.example] }`

function config(listener: string, ...more: readonly string[]): string {
  return GOOD.replace('listeners:', [...more, 'listeners:', listener].join('\n')).replace('targets:', TARGET)
}

test('gateways that agree in a database do not open TLS by an authority that each makes for itself', async () => {
  const own = '  egress: { address: 127.0.0.1:0 }'
  const text = config(own, SHARED)
  assert.match(await mistakes(text, ENV), new RegExp(`:${lineOf(text, 'intercept:')}:.*${TOLD.source}`))
  assert.doesNotMatch(await mistakes(config(own), ENV).catch(String), TOLD)
  const given = '  egress: { address: 127.0.0.1:0, authority: { cert: ca.pem, key: ca.key } }'
  assert.doesNotMatch(await mistakes(config(given, SHARED), ENV).catch(String), TOLD)
})
