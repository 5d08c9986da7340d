import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions, upstreamParameters } from '../../../../gateway/protocols/postgres/login-parameters.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

const own = { user: 'gateway', database: 'orders' }
const pinned = [
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
]
const given = (parameters: Record<string, string>) => upstreamParameters(new Map(Object.entries(parameters)), own)
const unsupported = (error: unknown): boolean => error instanceof ApplianceError && error.code === 'PROTOCOL_UNSUPPORTED'

test("user and database are the gateway's, everything else passes, the pinned settings come last", () => {
  const parameters = given({
    user: 'agent',
    database: 'shop',
    application_name: 'psql',
    options: '-c search_path=a',
    replication: 'off',
    TimeZone: 'UTC',
  })
  assert.deepEqual(parameters, [
    ['user', 'gateway'],
    ['database', 'orders'],
    ['application_name', 'psql'],
    ['options', '-c search_path=a'],
    ['TimeZone', 'UTC'],
    ...pinned,
  ])
})

test('a client that asks for the pinned value, or does not care, gets it', () => {
  for (const encoding of ['UTF8', 'utf-8', "'utf-8'", 'UNICODE', 'SQL_ASCII']) {
    assert.deepEqual(given({ Client_Encoding: encoding }).slice(2), pinned)
  }
  assert.deepEqual(given({ standard_conforming_strings: 'ON' }).slice(2), pinned)
})

test('another value of a pinned setting is refused wherever it is asked for', () => {
  for (const parameters of [
    { client_encoding: 'LATIN1' },
    { STANDARD_CONFORMING_STRINGS: 'off' },
    { options: '-c standard_conforming_strings=off' },
    { options: '-cstandard_conforming_strings=off' },
    { options: '--standard-conforming-strings=off' },
    { options: '-c search_path=a -c Client\\_Encoding=sjis' },
  ]) {
    assert.throws(() => given(parameters), unsupported, JSON.stringify(parameters))
  }
})

test('what changes the rights of a session must be a statement, where policy sees it', () => {
  for (const parameters of [
    { role: 'admin' },
    { Session_Authorization: 'x' },
    { options: '-c role=admin' },
    { options: '--session-replication-role=replica' },
    { options: '-c row_security=off' },
    { default_transaction_read_only: 'off' },
    { options: '-c Transaction_Read_Only=0' },
    { local_preload_libraries: 'x' },
    { options: '-c dynamic_library_path=/tmp' },
  ]) {
    assert.throws(() => given(parameters), unsupported, JSON.stringify(parameters))
  }
})

test('what protects the data may be asked for at the start', () => {
  for (const options of ['-c default_transaction_read_only=on', '-c row_security=TRUE'])
    assert.ok(given({ options }).some(([name, value]) => name === 'options' && value === options))
})

test('options are read as the server reads them, and other switches are refused', () => {
  assert.deepEqual(readOptions(''), [])
  assert.deepEqual(readOptions('  -c a=1\t--b-c=2 -cd=x\\ y\\\\ '), [
    ['a', '1'],
    ['b_c', '2'],
    ['d', 'x y\\'],
  ])
  for (const bad of ['-e', '-Fcrole=admin', 'role=admin', '-c', '-c role', '--', '-c =x'])
    assert.throws(() => readOptions(bad), unsupported, bad)
})
