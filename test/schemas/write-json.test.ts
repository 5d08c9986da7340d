import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { configReference } from '../../schemas/config-reference.ts'
import { jsonFile, jsonOf, OPENAPI_FILE, openApiText, PUBLISHED, REFERENCE_FILE } from '../../schemas/write-json.ts'

test('the committed JSON Schemas are those of the sources (npm run schemas, then npm run fix)', () => {
  for (const [name, schema] of Object.entries(PUBLISHED)) {
    assert.deepEqual(JSON.parse(readFileSync(jsonFile(name), 'utf8')), JSON.parse(jsonOf(schema)), name)
  }
})

test('the committed OpenAPI document is that of the API’s schemas', () => {
  assert.deepEqual(JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')), JSON.parse(openApiText()))
})

test('the committed reference of the configuration is that of its schema, and has every setting', () => {
  const text = readFileSync(REFERENCE_FILE, 'utf8')
  assert.equal(text, configReference())
  for (const setting of ['**`shared.url`**', '`limits.drainTimeoutMs`', '`targets[].credential.keyVault.vault`'])
    assert.ok(text.includes(setting) || text.includes(`**${setting}**`), setting)
})

test('nothing else is published', () => {
  const files = readdirSync(new URL('../../schemas/json/', import.meta.url)).sort()
  assert.deepEqual(files, [...Object.keys(PUBLISHED).map((name) => `${name}.schema.json`), 'openapi.json'].sort())
})
