import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { listenerIdentity } from '../../../gateway/credentials/listener-tls.ts'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-tls-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('the first start makes a certificate that a client can pin, and later starts keep it', async () => {
  await using made = await temporary()
  const identity = await listenerIdentity({}, { keysDir: made.path, gateway: 'gw1' })
  assert.deepEqual(await listenerIdentity({}, { keysDir: made.path, gateway: 'gw1' }), identity)
  assert.equal((await stat(join(made.path, 'listener.pem'))).mode & 0o777, 0o600)

  assert.equal(await readFile(join(made.path, 'listener.crt'), 'utf8'), identity.cert)

  const server = createServer(identity, (socket) => socket.end('hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: identity.cert })
  const [chunk] = await once(socket, 'data')
  assert.equal(String(chunk), 'hello')
  assert.equal(socket.authorized, true)
  socket.destroy()
  server.close()
})

test('processes that start at once share one certificate', async () => {
  await using made = await temporary()
  const all = await Promise.all(Array.from({ length: 4 }, () => listenerIdentity({}, { keysDir: made.path, gateway: 'gw1' })))
  assert.equal(new Set(all.map(({ cert, key }) => cert + key)).size, 1)
  const names = new X509Certificate(all[0]?.cert ?? '').subjectAltName
  assert.match(names ?? '', /DNS:localhost/)
  assert.match(names ?? '', /IP Address:127.0.0.1/)
})

test('a key that does not belong to its certificate is refused, by file', async () => {
  await using made = await temporary()
  const one = await listenerIdentity({}, { keysDir: join(made.path, 'one'), gateway: 'gw1' })
  const two = await listenerIdentity({}, { keysDir: join(made.path, 'two'), gateway: 'gw1' })
  const files = { certFile: join(made.path, 'cert.pem'), keyFile: join(made.path, 'key.pem') }
  await writeFile(files.certFile, one.cert)
  await writeFile(files.keyFile, two.key)
  await assert.rejects(listenerIdentity(files, { keysDir: made.path, gateway: 'gw1' }), {
    code: 'CONFIG_INVALID',
    message: /cert.pem/,
  })
  await writeFile(files.keyFile, one.key)
  assert.deepEqual(await listenerIdentity(files, { keysDir: made.path, gateway: 'gw1' }), one)
})
