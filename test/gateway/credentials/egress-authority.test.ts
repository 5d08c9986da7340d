import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { issueCertificate } from '../../../gateway/credentials/certificate.ts'
import { egressAuthority } from '../../../gateway/credentials/egress-authority.ts'

const DAY_MS = 86_400_000

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-authority-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

function ecKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

const valid = () => ({ notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) })

test('processes that start at once share one authority, readable to nobody else; it may sign servers and nothing below', async () => {
  await using made = await temporary()
  const own = { keysDir: made.path, gateway: 'gw1' }
  const all = await Promise.all(Array.from({ length: 4 }, () => egressAuthority(undefined, own)))
  assert.equal(new Set(all.map(({ cert, key }) => cert + key)).size, 1)
  assert.equal((await stat(join(made.path, 'egress-ca.pem'))).mode & 0o777, 0o600)
  const [authority] = all
  assert.ok(authority !== undefined)
  const root = new X509Certificate(authority.cert)
  assert.ok(root.ca && root.checkIssued(root))
  const leaf = new X509Certificate(
    issueCertificate(
      { subject: 'a.example', key: ecKey(), ...valid(), names: ['a.example', '10.0.0.1', '2001:db8::1:2'] },
      authority,
    ),
  )
  assert.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root) && !leaf.ca)
  assert.equal(leaf.subjectAltName, 'DNS:a.example, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:1:2')
  assert.equal(leaf.checkHost('b.example'), undefined)
})

test('what may not sign, has run out, or has the key of another is refused, by file', async () => {
  await using made = await temporary()
  const files = { certFile: join(made.path, 'ca.crt'), keyFile: join(made.path, 'ca.key') }
  const own = { keysDir: made.path, gateway: 'gw1' }
  const refused = async (cert: string, key: string, why: RegExp): Promise<void> => {
    await writeFile(files.certFile, cert)
    await writeFile(files.keyFile, key)
    await assert.rejects(egressAuthority(files, own), { code: 'CONFIG_INVALID', message: why })
  }
  const key = ecKey()
  await refused(issueCertificate({ subject: 's', key, ...valid(), names: ['a.example'] }), key, /ca\.crt: .*may not sign/)
  const over = { notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) }
  await refused(issueCertificate({ subject: 's', key, ...over, names: 'authority' }), key, /run out/)
  await refused(issueCertificate({ subject: 's', key, ...valid(), names: 'authority' }), ecKey(), /not that of the certificate/)
  await refused('no certificate', key, /no authority/)
  const good = issueCertificate({ subject: 's', key, ...valid(), names: 'authority' })
  await writeFile(files.certFile, good)
  await writeFile(files.keyFile, key)
  assert.equal((await egressAuthority(files, own)).cert, good)
})
