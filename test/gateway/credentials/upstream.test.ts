import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { type CredentialSource, readCredential, readSecret } from '../../../gateway/credentials/upstream.ts'

async function temporary(files: Readonly<Record<string, string>>) {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-upstream-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return { from: (name: string) => resolve(path, name), [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('password, client certificate and trusted authorities come from where the configuration points', async () => {
  await using made = await temporary({ 'ca.pem': 'CA', 'cert.pem': 'CERT', 'key.pem': 'KEY\n' })
  const source: CredentialSource = {
    user: 'gateway',
    password: { env: 'SHOP_PASSWORD' },
    certificate: { cert: 'cert.pem', key: { file: 'key.pem' } },
    tls: { mode: 'verify', ca: 'ca.pem', serverName: 'db.internal' },
    from: made.from,
  }
  assert.deepEqual(await readCredential(source, { SHOP_PASSWORD: 'pass word ' }), {
    user: 'gateway',
    password: 'pass word ',
    certificate: { cert: 'CERT', key: 'KEY' },
    tls: { mode: 'verify', ca: 'CA', serverName: 'db.internal' },
  })
})

test('only the newline an editor adds is taken off a secret', async () => {
  await using made = await temporary({ one: ' a b \n', two: 'x\r\n', empty: '\n' })
  assert.equal(await readSecret({ file: 'one' }, made.from, {}), ' a b ')
  assert.equal(await readSecret({ file: 'two' }, made.from, {}), 'x')
  await assert.rejects(readSecret({ file: 'empty' }, made.from, {}), { code: 'CONFIG_INVALID' })
  await assert.rejects(readSecret({ env: 'UNSET' }, made.from, { UNSET: '' }), { code: 'CONFIG_INVALID', message: /UNSET/ })
})

test('a source that is gone while serving is our failure, told to the client without its name', async () => {
  await using made = await temporary({})
  const source: CredentialSource = { user: 'u', password: { env: 'SHOP_PASSWORD' }, tls: { mode: 'off' }, from: made.from }
  await assert.rejects(readCredential(source, {}), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'TARGET_REFUSED')
    assert.equal(error.message.includes('SHOP_PASSWORD'), false)
    return true
  })
})
