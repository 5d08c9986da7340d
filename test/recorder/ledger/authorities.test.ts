import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { areOneParty, readAuthorities } from '../../../recorder/ledger/authorities.ts'
import { clientHere } from '../../support/clients.ts'

let folder = ''
const pem = (name: string): string => readFileSync(join(folder, name), 'utf8')

/** Makes the certificates, once; false where there is nothing to make them with. */
function made(t: TestContext): boolean {
  const program = clientHere(t, 'openssl')
  if (program === undefined || folder !== '') return program !== undefined
  folder = mkdtempSync(join(tmpdir(), 'authorities-'))
  const openssl = (...args: string[]): void => void execFileSync(program, args, { cwd: folder, stdio: 'pipe' })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const root = (name: string, subject: string, key: readonly string[]): void =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-out',
      name,
      '-subj',
      subject,
      '-config',
      '/dev/null',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    )
  root('root.pem', '/CN=Root', [...ec, '-keyout', 'root.key'])
  root('again.pem', '/CN=Root under another name', ['-key', 'root.key'])
  root('namesake.pem', '/CN=Root', [...ec, '-keyout', 'namesake.key'])
  openssl('req', '-new', ...ec, '-keyout', 'time.key', '-out', 'time.csr', '-subj', '/CN=Time', '-config', '/dev/null')
  openssl('x509', '-req', '-in', 'time.csr', '-CA', 'root.pem', '-CAkey', 'root.key', '-set_serial', '7', '-out', 'time.pem')
  return true
}
after(() => {
  if (folder !== '') rmSync(folder, { recursive: true })
})

test('two files of certificates are one party where one token could count for both', (t) => {
  if (!made(t)) return
  const one = (a: readonly string[], b: readonly string[]): boolean => areOneParty(a.map(pem), b.map(pem))
  assert.equal(one(['root.pem'], ['root.pem']), true)
  assert.equal(one(['root.pem'], ['namesake.pem', 'root.pem']), true, 'one of several')
  assert.equal(one(['root.pem'], ['again.pem']), true, 'the same key')
  assert.equal(one(['root.pem'], ['time.pem']), true, 'issued by it')
  assert.equal(one(['time.pem'], ['root.pem']), true, 'its issuer')
  assert.equal(one(['root.pem'], ['namesake.pem']), false, 'only the same name')
  assert.equal(one(['namesake.pem'], ['time.pem']), false, 'by its issuer’s namesake')
})

test('a file of certificates is read with what stands around them, up to 1 MiB; one that has none is said so', async (t) => {
  if (!made(t)) return
  const file = join(folder, 'some.pem')
  writeFileSync(file, `a comment\n${pem('root.pem')}\n${pem('time.pem')}`)
  assert.equal((await readAuthorities(file)).length, 2)
  for (const [text, message] of [
    ['', /holds no certificate/],
    [pem('root.key'), /holds no certificate/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /a certificate that cannot be read/],
    ['x'.repeat((1 << 20) + 1), /has more than 1048576 bytes/],
  ] as const) {
    writeFileSync(file, text)
    await assert.rejects(readAuthorities(file), { code: 'CONFIG_INVALID', message })
  }
})
