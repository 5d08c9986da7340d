import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loginOf, mistakeIn } from '../../../recorder/azure/database-login.ts'

const identity = { kind: 'managed' } as const

test('a database elsewhere is verified, whatever the driver would make of its URL', () => {
  for (const url of [
    'postgres://u:p@db.example/d?sslmode=verify-full',
    'postgresql://u:p@db.example/d?sslmode=disable&sslmode=verify-full',
    'postgres://u:p@127.0.0.1:5432/d',
    'postgres://u:p@[::1]/d?sslmode=disable',
    'postgres://u:p@localhost/d',
    'postgres://%2Frun%2Fpostgresql/d',
  ])
    assert.equal(mistakeIn({ url }), undefined, url)
  for (const url of [
    'postgres://u:p@db.example/d',
    'postgres://u:p@db.example/d?sslmode=require',
    'postgres://u:p@db.example/d?sslmode=no-verify',
    'postgres://u:p@db.example/d?sslmode=verify-full&sslmode=disable',
    'postgres://u:p@127.0.0.1.example/d',
    'postgres://u:p@127.0.0.1/d?host=db.example',
    'postgres:///d',
  ])
    assert.match(mistakeIn({ url }) ?? '', /sslmode=verify-full/, url)
  assert.match(mistakeIn({ url: 'host=db.example' }) ?? '', /no URL/)
  assert.match(mistakeIn({ url: 'http://db.example/d' }) ?? '', /postgres:/)
})

test('with an identity the server is verified unless it says otherwise, and there is no password', async () => {
  assert.equal(mistakeIn({ url: 'postgres://u@db.example/d', identity }), undefined)
  assert.match(mistakeIn({ url: 'postgres://u@db.example/d?sslmode=require', identity }) ?? '', /verify-full/)
  assert.match(mistakeIn({ url: 'postgres://u:p@db.example/d', identity }) ?? '', /either a password/)
  const { ssl, host, port, user, database, password } = await loginOf({ url: 'postgres://u%40x@db.example/d', identity }, 'x')
  assert.deepEqual({ ssl, host, port, user, database }, { ssl: true, host: 'db.example', port: 5432, user: 'u@x', database: 'd' })
  assert.equal(typeof password, 'function')
})
