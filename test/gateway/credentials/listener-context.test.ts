import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as plainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createServer, type SecureContext, TLSSocket } from 'node:tls'
import { ListenerContext } from '../../../gateway/credentials/listener-context.ts'
import { selfSigned } from '../../support/pg-tls.ts'

const PATIENCE_MS = 60_000

async function folderOf(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-context-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** What a client agrees on with this context: protocol and suite, or the refusal's code. */
async function shaken(
  context: SecureContext,
  offers: { readonly minVersion?: 'TLSv1.3'; readonly maxVersion?: 'TLSv1.2' },
): Promise<string> {
  const server = plainServer((socket) =>
    new TLSSocket(socket, { isServer: true, secureContext: context }).on('error', () => undefined).end('!'),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...offers })
  try {
    await once(client, 'secureConnect')
    return `${client.getProtocol()} ${client.getCipher().name}`
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    client.destroy()
    server.close()
  }
}

test('the oldest TLS and the suites that are spoken are those of the configuration', async (t) => {
  const parts = { keysDir: await folderOf(t), gateway: 'gw1', onNews: (news: string) => assert.fail(news) }
  const plain = await ListenerContext.open({}, parts)
  assert.match(await shaken(plain.current, { maxVersion: 'TLSv1.2' }), /^TLSv1\.2 /)
  const newest = await ListenerContext.open({ minVersion: 'TLSv1.3' }, parts)
  assert.match(await shaken(newest.current, { maxVersion: 'TLSv1.2' }), /PROTOCOL_VERSION|ECONNRESET/)
  assert.match(await shaken(newest.current, {}), /^TLSv1\.3 /)
  const one = await ListenerContext.open({ ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384' }, parts)
  assert.equal(await shaken(one.current, { maxVersion: 'TLSv1.2' }), 'TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384')
  assert.equal(await shaken(one.current, {}), 'TLSv1.3 TLS_AES_256_GCM_SHA384')
  await assert.rejects(ListenerContext.open({ ciphers: 'NO-SUCH-SUITE' }, parts), {
    code: 'CONFIG_INVALID',
    message: /NO-SUCH-SUITE/,
  })
})

test('a renewed certificate is shown to the next client, and one that cannot be used leaves the one before', async (t) => {
  const folder = await folderOf(t)
  const [first, second] = [await selfSigned(), await selfSigned()]
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
  await writeFile(files.certFile, first.cert)
  await writeFile(files.keyFile, first.key)
  const told: string[] = []
  let wake = (): void => undefined
  using context = await ListenerContext.open(files, {
    keysDir: folder,
    gateway: 'gw1',
    lookEveryMs: 20,
    onNews: (news) => {
      told.push(news)
      wake()
    },
  })
  const nextNews = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    await Promise.race([promise, once(AbortSignal.timeout(PATIENCE_MS), 'abort').then(() => assert.fail('no news'))])
  }
  const server = createServer(context.options, (socket) => socket.end('!'))
  context.follow((options) => server.setSecureContext(options))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo // it listens on TCP
  const shown = async (): Promise<Buffer> => {
    const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    await once(client, 'secureConnect')
    const { raw } = client.getPeerCertificate()
    client.destroy()
    return raw
  }
  const was = await shown()

  // Half of it: the key comes later.
  let news = nextNews()
  await writeFile(files.certFile, second.cert)
  await news
  assert.match(told.at(-1) ?? '', /the certificate before stays in use: .*tls\.crt/)
  assert.deepEqual(await shown(), was)

  news = nextNews()
  await writeFile(files.keyFile, second.key)
  await news
  assert.match(told.at(-1) ?? '', /tls\.crt: the certificate was renewed/)
  assert.notDeepEqual(await shown(), was)
  assert.equal(context.options.cert, second.cert)
  assert.equal(told.length, 2, told.join('\n'))
})
