import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fields } from '../../../../gateway/protocols/http/fields.ts'
import { redactJson } from '../../../../gateway/protocols/http/json-body.ts'
import { SecretFields } from '../../../../gateway/protocols/kubernetes/secret-fields.ts'
import { testMasker } from '../../../support/fakes.ts'

const HORSE = ['correct', 'Horse9', 'battery'].join('-')
const labels = {
  empty: true,
  asked: false,
  exempts: () => false,
  touches: () => false,
  placedIn: () => undefined,
  within: () => [],
  labelFor: () => undefined,
  labelForName: () => undefined,
}

function redact(value: unknown, space?: number): unknown {
  const source = Buffer.from(JSON.stringify(value, null, space))
  const masker = testMasker()
  const sink = masker.sink(source.length)
  assert.ok(redactJson(masker, sink, [source, 0, source.length], { fields: new SecretFields(new Fields(labels), 'objects') }))
  return JSON.parse(
    Buffer.from(sink.finish().bytes)
      .toString()
      .replaceAll(/:[0-9a-f]{12}\]/g, ']'),
  )
}

test('values of ConfigMaps are judged by their keys, those of environments by their names', () => {
  const env = (value: string) => [
    { name: 'DB_PASSWORD', value },
    { name: 'SHOP_NAME', value: HORSE },
    { value, name: 'DB_PASSWORD' },
    { value: HORSE, name: 'SHOP_NAME' },
    { name: 'API_TOKEN', valueFrom: { secretKeyRef: { name: 'api-token-1', key: 'token' } } },
    { name: 'pass"word', value: HORSE },
  ]
  const objects = (value: string) =>
    Array.from({ length: 20 }, () => ({
      kind: 'ConfigMap',
      data: { DB_PASSWORD: value, SHOP_NAME: HORSE },
      binaryData: { password: 'aHVudGVyLXR3by14' },
      spec: { containers: [{ name: 'web', env: env(value) }] },
      rows: [{ name: 'password', value: HORSE }],
    }))
  for (const space of [undefined, 2]) {
    assert.deepEqual(redact(objects(HORSE), space), objects('[MASKED:password]'))
    assert.deepEqual(redact(objects(HORSE)[0], space), objects('[MASKED:password]')[0], 'in a small one, too')
  }
})
