import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'

const run = promisify(execFile)

const CONFIG = `
[tsa]
dir = .
serial = ./serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[other]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,codeSigning
`

export interface TimestampAuthority extends AsyncDisposable {
  readonly url: string
  /** PEM of the certificate authority behind it. */
  readonly ca: string
  /** What it is to do with the next requests: answer, answer with an error, or with a token of the request before. */
  mode: 'answer' | 'fail' | 'stale' | 'redirect' | 'flood'
}

/** A real RFC 3161 authority: OpenSSL's, behind an HTTP server. */
export async function timestampAuthority(purpose: 'signer' | 'other' = 'signer'): Promise<TimestampAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'tsa-'))
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder })
  await writeFile(join(folder, 'openssl.cnf'), CONFIG)
  await writeFile(join(folder, 'serial'), '01\n')
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await openssl(
    'req',
    '-x509',
    ...ec,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Test Time Root',
    '-config',
    '/dev/null',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  )
  await openssl(
    'req',
    '-new',
    ...ec,
    '-keyout',
    'tsa.key',
    '-out',
    'tsa.csr',
    '-subj',
    '/CN=Test Time/O=Example',
    '-config',
    '/dev/null',
  )
  await openssl(
    'x509',
    '-req',
    '-in',
    'tsa.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-set_serial',
    '7',
    '-days',
    '2',
    '-out',
    'tsa.pem',
    '-extfile',
    'openssl.cnf',
    '-extensions',
    purpose,
  )
  let last: Buffer | undefined
  const authority: { mode: TimestampAuthority['mode'] } = { mode: 'answer' }
  const reply = async (query: Buffer): Promise<Buffer> => {
    await writeFile(join(folder, 'query.tsq'), query)
    await openssl(
      'ts',
      '-reply',
      '-queryfile',
      'query.tsq',
      '-config',
      'openssl.cnf',
      '-section',
      'tsa',
      '-signer',
      'tsa.pem',
      '-inkey',
      'tsa.key',
      '-out',
      'reply.tsr',
    )
    return readFile(join(folder, 'reply.tsr'))
  }
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const query = await buffer(request)
      if (authority.mode === 'fail') return void response.writeHead(503).end()
      if (authority.mode === 'redirect') return void response.writeHead(307, { location: '/elsewhere' }).end()
      if (authority.mode === 'flood') return void response.writeHead(200).end(Buffer.alloc(1 << 20))
      if (authority.mode === 'answer' || last === undefined) last = await reply(query)
      response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(last)
    }
    answer().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(authority, {
    url: `http://127.0.0.1:${address.port}/`,
    ca: await readFile(join(folder, 'ca.pem'), 'utf8'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  })
}
