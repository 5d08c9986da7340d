import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRan } from '../support/clients.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { type Intrusion, intruder } from '../support/ssh-intruder.ts'
import { startSshd } from '../support/sshd.ts'
import { sessionsOf } from '../support/tapes.ts'

const PLACES: readonly Intrusion['at'][] = ['first', 'middle', 'last', 'huge']

test('a packet slipped into a client’s handshake ends that connection, whichever way it goes; the next one is served', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  for (const into of ['server', 'client'] as const) {
    for (const at of PLACES) {
      await using between = await intruder(gateway.port, { into, at })
      const name = `[127.0.0.1]:${between.port}`
      const flags = ['-o', `Port=${between.port}`, '-o', `HostKeyAlias=[127.0.0.1]:${gateway.port}`, '-o', 'Compression=no']
      const ran = await gateway.run(['echo in'], { flags })
      assert.equal(ran.code, 255, `${into} ${at} through ${name}: ${ran.stderr}`)
      assert.equal(between.slipped, 1)
    }
  }
  assert.deepEqual(await sessionsOf(gateway.dataDir), [])
  assertRan(await gateway.run(['echo in']), 'the next client')
})

test('a packet slipped in between gateway and target ends that login, and is told', async (t) => {
  await using sshd = await startSshd()
  for (const into of ['server', 'client'] as const) {
    for (const at of PLACES) {
      await using between = await intruder(sshd.port, { into, at })
      await using gateway = await startSshGateway(t, { port: between.port, hostKeys: [sshd.hostKey] })
      if (gateway === undefined) return
      const ran = await gateway.run(['echo in'])
      assert.equal(ran.code, 255, `${into} ${at}: ${ran.stderr}`)
      assert.match(ran.stderr, /sallyport: TARGET_(REFUSED|UNREACHABLE)/)
      assert.equal(between.slipped, 1)
    }
  }
})
