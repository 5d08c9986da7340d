import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generate } from 'selfsigned'
import { GOOD, lineOf, mistakes } from '../support/config.ts'
import { selfSigned } from '../support/pg-tls.ts'

const LISTENER = 'address: 127.0.0.1:0'
const shown = (tls: string): string => GOOD.replace(LISTENER, `${LISTENER}\n    tls: ${tls}`)
const PAIR = shown('{ cert: a.crt, key: a.key }')

test('a certificate that nobody could be shown is a mistake at its line, beside all others', async () => {
  const [pair, other] = await Promise.all([selfSigned('a'), selfSigned('b')])
  const old = await generate([{ name: 'commonName', value: 'a' }], {
    keyType: 'ec',
    notBeforeDate: new Date('2020-01-01T00:00:00Z'),
    notAfterDate: new Date('2021-01-01T00:00:00Z'),
  })
  for (const [cert, key, why] of [
    [pair.cert, other.key, 'a.key is not the key of the certificate /a.crt'],
    [pair.key, pair.cert, 'a.crt has no certificate in PEM'],
    [pair.cert, 'text', 'a.key has no private key in PEM'],
    [old.cert, old.private, 'the certificate /a.crt expired on 2021-01-01T00:00:00.000Z'],
  ] as const) {
    const told = await mistakes(PAIR, {}, { 'a.crt': cert, 'a.key': key })
    assert.match(told, /: 2 mistakes\n/, why)
    assert.match(told, new RegExp(`:${lineOf(PAIR, 'a.crt')}:.*listeners.postgres.tls.cert: .*${why}`))
    assert.match(told, /SHOP_PASSWORD is not set/)
    assert.ok(!told.includes('BEGIN PRIVATE') && !told.includes(pair.key.split('\n')[1] ?? ''))
  }
  assert.equal(await mistakes(PAIR, undefined, { 'a.crt': pair.cert, 'a.key': pair.key }), '')
  assert.match(await mistakes(PAIR, undefined, { 'a.key': pair.key }), /: 1 mistake\n.*a\.crt cannot be read \(ENOENT\)$/)
})

test('suites that OpenSSL does not know are a mistake at their line', async () => {
  const text = shown('{ ciphers: NO-SUCH-SUITE }')
  assert.match(await mistakes(text), new RegExp(`:${lineOf(text, 'NO-SUCH-SUITE')}:.*NO-SUCH-SUITE" cannot be used`))
})

test('a file of authorities without a certificate in it would trust nobody, and is said', async () => {
  assert.match(
    await mistakes(GOOD, undefined, { 'ca.pem': 'certificates' }),
    new RegExp(`:${lineOf(GOOD, 'ca.pem')}:.*targets\\[0\\]\\.tls\\.ca: /ca\\.pem has no certificate in PEM`),
  )
})

test('an authority for egress is looked at before anything listens', async () => {
  const { cert, key } = await selfSigned('a')
  const other = await selfSigned('b')
  const text = GOOD.replace(
    'listeners:',
    'listeners:\n  egress: { address: 127.0.0.1:0, authority: { cert: a.crt, key: a.key } }',
  ).replace('targets:', 'targets:\n  - { name: outside, protocol: egress, groups: [agents], egress: { allow: [a.example] } }')
  assert.equal(await mistakes(text, undefined, { 'a.crt': cert, 'a.key': key }), '')
  const told = await mistakes(text, undefined, { 'a.crt': cert, 'a.key': other.key })
  assert.match(told, new RegExp(`: 1 mistake\n.*:${lineOf(text, 'authority')}:.*the key is not that of the certificate`))
  assert.match(await mistakes(text, undefined, { 'a.key': key }), /: 1 mistake\n.*a\.crt cannot be read/)
})
