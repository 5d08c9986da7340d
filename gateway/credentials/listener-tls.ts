import { readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { generate } from 'selfsigned'
import { createFile, makeFolder } from '../../recorder/desk/exclusive-file.ts'
import { codeOf } from '../../recorder/files.ts'
import { checkPair, type PairFiles } from './pem-pair.ts'

/** Long, because clients pin a self-signed certificate by hand; whoever wants rotation brings certificates of their own. */
const VALID_YEARS = 10
const FILE = 'listener.pem'
const CERTIFICATE_FILE = 'listener.crt'

export interface ListenerIdentity {
  /** PEM. */
  readonly key: string
  readonly cert: string
}

/**
 * The configured certificate, or else one of our own, made on the first start and kept as `listener.pem` in `keysDir`; beside
 * it `listener.crt`, the certificate alone, for clients to trust.
 */
export async function listenerIdentity(
  files: { readonly certFile?: string; readonly keyFile?: string },
  own: { readonly keysDir: string; readonly gateway: string },
): Promise<ListenerIdentity> {
  const { certFile, keyFile } = files
  if (certFile !== undefined && keyFile !== undefined) return configuredPair({ certFile, keyFile })
  const identity = await ownIdentity(own.keysDir, own.gateway)
  const pem = join(own.keysDir, FILE)
  checkPair(identity, { certFile: pem, keyFile: pem })
  return identity
}

/** Rejects CONFIG_INVALID for what could be shown to nobody; the system's error for a file that cannot be read. */
export async function configuredPair(files: PairFiles): Promise<ListenerIdentity> {
  const identity = { cert: await readFile(files.certFile, 'utf8'), key: await readFile(files.keyFile, 'utf8') }
  checkPair(identity, files)
  return identity
}

/** One file holds both, so that two processes starting at once cannot end up with halves of different pairs. */
async function ownIdentity(keysDir: string, gateway: string): Promise<ListenerIdentity> {
  const path = join(keysDir, FILE)
  await makeFolder(keysDir)
  const kept = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  const pem = kept ?? (await made(path, gateway))
  const blocks = pem.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----\n?/g) ?? []
  const cert = blocks.filter((block) => block.includes('CERTIFICATE')).join('')
  await createFile(join(keysDir, CERTIFICATE_FILE), cert)
  return { cert, key: blocks.filter((block) => block.includes('KEY')).join('') }
}

async function made(path: string, gateway: string): Promise<string> {
  await rm(join(dirname(path), CERTIFICATE_FILE), { force: true }) // of a pair that was taken away
  const notAfterDate = new Date()
  notAfterDate.setFullYear(notAfterDate.getFullYear() + VALID_YEARS)
  const names = [...new Set([gateway, hostname(), 'localhost'])]
  const pair = await generate([{ name: 'commonName', value: `sallyport ${gateway}` }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [...names.map((value) => ({ type: 2, value }) as const), { type: 7, ip: '127.0.0.1' }, { type: 7, ip: '::1' }],
      },
    ],
  })
  await createFile(path, `${pair.cert.trim()}\n${pair.private.trim()}\n`)
  return readFile(path, 'utf8')
}
