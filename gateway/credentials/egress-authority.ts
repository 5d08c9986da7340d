import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile, makeFolder } from '../../recorder/desk/exclusive-file.ts'
import { codeOf } from '../../recorder/files.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { AuthorityFiles } from '../config.ts'
import { issueCertificate } from './certificate.ts'

/** As long as the listener's own certificate: it is given to every client by hand. */
const VALID_YEARS = 10
/** A client whose clock is late trusts it all the same. */
const SKEW_MS = 3_600_000
const FILE = 'egress-ca.pem'

/** Signs for hosts whose TLS is opened; whoever trusts it believes this gateway for every host. */
export interface Authority {
  /** PEM: its certificate, and behind it those of authorities above. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

/**
 * The configured authority, or else one of our own, made when it is first asked for and kept as `egress-ca.pem` in `keysDir`. Rejects CONFIG_INVALID
 * for one that may not sign, has run out, or whose key is another's.
 */
export async function egressAuthority(
  files: AuthorityFiles | undefined,
  own: { readonly keysDir: string; readonly gateway: string },
): Promise<Authority> {
  if (files !== undefined) return configuredAuthority(files)
  const authority = await ownAuthority(own)
  checkOf(authority, join(own.keysDir, FILE))
  return authority
}

/** Rejects CONFIG_INVALID for one that nobody could be signed for by; the system's error for a file that cannot be read. */
export async function configuredAuthority({ certFile, keyFile }: AuthorityFiles): Promise<Authority> {
  const authority = { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  checkOf(authority, certFile)
  return authority
}

function checkOf(authority: Authority, file: string): void {
  try {
    check(authority)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ApplianceError('CONFIG_INVALID', `${file}: no authority for egress: ${why}`)
  }
}

function check({ cert, key }: Authority): void {
  const certificate = new X509Certificate(cert)
  if (!certificate.ca) throw new Error('the certificate may not sign others (basicConstraints)')
  if (Date.parse(certificate.validTo) <= Date.now()) throw new Error('the certificate has run out')
  const privateKey = createPrivateKey(key)
  if (privateKey.asymmetricKeyType !== 'ec' && privateKey.asymmetricKeyType !== 'rsa')
    throw new Error('its key is neither EC nor RSA')
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key is not that of the certificate')
}

/** One file holds both, so that two processes starting at once cannot end up with halves of different pairs. */
async function ownAuthority({ keysDir, gateway }: { readonly keysDir: string; readonly gateway: string }): Promise<Authority> {
  const path = join(keysDir, FILE)
  await makeFolder(keysDir)
  const kept = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  const pem = kept ?? (await made(path, gateway))
  const blocks = pem.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----\n?/g) ?? []
  return {
    cert: blocks.filter((block) => block.includes('CERTIFICATE')).join(''),
    key: blocks.filter((block) => block.includes('KEY')).join(''),
  }
}

async function made(path: string, gateway: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const notBefore = new Date(Date.now() - SKEW_MS)
  const notAfter = new Date()
  notAfter.setFullYear(notAfter.getFullYear() + VALID_YEARS)
  const cert = issueCertificate({ subject: `sallyport ${gateway} egress`, key, notBefore, notAfter, names: 'authority' })
  await createFile(path, `${cert.trim()}\n${key.trim()}\n`)
  return readFile(path, 'utf8')
}
