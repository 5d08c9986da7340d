import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { dial } from '../../../../gateway/protocols/egress/dial.ts'

const never = new AbortController().signal
const settings = (port: number, networks: readonly string[] = [], ownPorts: readonly number[] = []) => {
  return { allow: [], ports: [port], networks, ownPorts }
}

test('what is not of the internet is refused, in whatever way it is written; nothing is connected to', async () => {
  const hosts = [
    '127.0.0.1',
    'localhost',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '168.63.129.16',
    '::1',
    '::',
    'fd00:ec2::254',
    'fe80::1',
    'fc00::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ]
  for (const host of hosts) await assert.rejects(dial({ host, port: 443 }, settings(443), never), { code: 'TARGET_DENIED' }, host)
})

test('where identities are handed out is refused even where the network is given, and so are ports that are not', async () => {
  const all = ['0.0.0.0/0', '::/0']
  for (const host of ['169.254.169.254', '168.63.129.16', '::ffff:a9fe:a9fe', 'fd00:ec2::254'])
    await assert.rejects(dial({ host, port: 80 }, settings(80, all), never), { code: 'TARGET_DENIED' }, host)
  await assert.rejects(dial({ host: '127.0.0.1', port: 22 }, settings(80, all), never), { code: 'TARGET_DENIED' })
})

test('a network that is given is reached, but for the doors of this gateway', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const place = { host: '127.0.0.1', port }
  try {
    const socket = await dial(place, settings(port, ['127.0.0.0/8']), never)
    const [said] = await once(socket, 'data')
    assert.equal(String(said), 'hello')
    socket.destroy()
    await assert.rejects(dial(place, settings(port, ['127.0.0.0/8'], [port]), never), { code: 'TARGET_DENIED' })
  } finally {
    server.close()
  }
  await once(server, 'close')
  await assert.rejects(dial(place, settings(port, ['127.0.0.0/8']), never), { code: 'TARGET_UNREACHABLE' })
})

test('a name that changes its mind is asked once for each connection, and refused with one address that may not be reached', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const place = { host: 'rebinds.example', port }
  let asked = 0
  const answers = (...lists: readonly (readonly string[])[]) => {
    return async () => (lists[asked++] ?? []).map((address) => ({ address }))
  }
  const only = settings(port, ['127.0.0.0/8'])
  try {
    // What was checked is what is connected to: nobody asks a second time.
    const resolve = answers(['127.0.0.1'], ['10.0.0.1'], ['93.184.216.34', '169.254.169.254'], ['::ffff:10.0.0.1'])
    const socket = await dial(place, only, never, resolve)
    assert.deepEqual([asked, socket.remoteAddress], [1, '127.0.0.1'])
    socket.destroy()
    for (const _ of ['private', 'one of two is the metadata service', 'IPv4 inside IPv6'])
      await assert.rejects(dial(place, only, never, resolve), { code: 'TARGET_DENIED' })
    assert.equal(asked, 4)
    await assert.rejects(dial(place, only, never, resolve), { code: 'TARGET_UNREACHABLE' })
  } finally {
    server.close()
  }
})
