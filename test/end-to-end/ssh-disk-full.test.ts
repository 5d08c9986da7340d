import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { keepFull, smallDisk } from '../support/small-disk.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

/** Room for spool files of two sessions, what stands in the store, and the target. */
const DISK_SIZE = '400m'

test('a full disk: what cannot be recorded ends with its reason on stderr and status 255, and its tape is sealed once there is room', async (t) => {
  const disk = await smallDisk(t, DISK_SIZE)
  if (disk === undefined) return
  const before = process.env['TMPDIR'] ?? '/tmp'
  process.env['TMPDIR'] = disk
  const gateway = await startSshGateway(t).finally(() => {
    process.env['TMPDIR'] = before
  })
  if (gateway === undefined) return
  await using _gateway = gateway
  // While a seal waits for room nothing else keeps the process.
  const alive = setInterval(() => undefined, 1_000)
  t.after(() => clearInterval(alive))
  assert.equal((await gateway.run(['echo', 'room'])).stdout, 'room\n')

  // Nothing that compression could squeeze in, and no end to it.
  const client = gateway.ssh(['cat /dev/urandom | base64'])
  await client.says(/\n/)
  const full = keepFull(join(disk, 'ballast'))
  const ran = await client.ended
  assert.equal(ran.code, 255)
  assert.match(ran.stderr, /^sallyport: .*record/m)
  const refused = await gateway.run(['echo', 'no room'])
  assert.notEqual(refused.code, 0)
  assert.equal(refused.stdout, '')
  assert.match(refused.stderr, /sallyport: |Connection (closed|reset)|Permission denied/)
  await full.stop()

  // The one that was cut: sealed, and no byte was given that it does not have.
  const [, cut] = (await sessionsOf(gateway.dataDir)).map(({ id }) => id).sort()
  assert.ok(cut !== undefined)
  await gateway.log.until((line) => line['msg'] === 'session sealed' && line['session'] === cut, 120_000)
  const taped = Buffer.concat(
    (await framesOf(gateway.dataDir, cut)).filter(({ kind }) => kind === 'stdout').map(({ body }) => Buffer.from(body ?? [])),
  )
  assert.ok(taped.toString().startsWith(ran.stdout), `${ran.stdout.length} bytes were given, ${taped.length} are on the tape`)
  const again = await gateway.run(['echo', 'again'])
  assert.equal(again.stdout, 'again\n', again.stderr)
})
