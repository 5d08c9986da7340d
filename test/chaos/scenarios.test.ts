import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore } from '../support/memory-store.ts'
import { Random } from '../support/random.ts'
import { entry, recordingFolder, START } from '../support/recording.ts'
import { clockStep } from './clock.ts'
import { diskFull, spoolQuota } from './disk.ts'
import { racingGateways } from './races.ts'
import { checkTape, DrivenSession } from './recorded-sessions.ts'
import { compare } from './released.ts'
import { Account } from './scenario.ts'
import { answersLost, outage } from './store-faults.ts'

// Smoke versions of what `npm run chaos` plays at length, and proof that it would notice.

const SEED = 20_261_128

for (const scenario of [answersLost, outage, diskFull, spoolQuota, clockStep, racingGateways]) {
  test(`chaos, in small: ${scenario.about}`, async () => {
    const account = new Account()
    await scenario.play({ random: new Random(SEED), runs: 1, progress: () => undefined }, account)
    assert.deepEqual(account.violations, [])
    assert.ok(account.delivered > 0)
    assert.equal(account.recoverable, account.delivered)
  })
}

test('a frame that was delivered and is missing, altered or not the last thing lost is noticed', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store })
  const session = await DrivenSession.open(room, 'process')
  await session.drive(new Random(1), 20)
  await session.recorder.seal('client.left')
  const clean = new Account()
  await checkTape(session, store, [folder.signer], clean)
  assert.deepEqual(clean.violations, [])
  session.delivered.set(3, 'something else')
  session.delivered.set(20, 'never recorded')
  const account = new Account()
  await checkTape(session, store, [folder.signer], account)
  assert.deepEqual(
    account.violations.map((one) => one.replace(/^.*: /, '')),
    ['3 was altered', '20 was delivered and is not on the tape'],
  )
  assert.equal(account.delivered - account.recoverable, 1)
  const given = { session: session.info.id, client: Buffer.from('not what was taped'), target: Buffer.alloc(0) }
  const bytes = new Account()
  await compare(given, store, [folder.signer], bytes)
  assert.match(bytes.violations[0] ?? '', /they differ at/)
})

test('the last words of a session that was cut are counted, behind what was recorded and could not be released any more', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store })
  const { info, recorder } = await room.open(START)
  const said = (text: string, kind = 'echo') => entry({ dir: 'out', kind, body: Buffer.from(text) })
  await recorder.append([said('heard'), said('not released any more')])
  await recorder.seal('failed', [said('farewell', 'farewell')])
  const account = new Account()
  const given = { session: info.id, client: Buffer.from('heardfarewell'), target: Buffer.alloc(0) }
  const { missing } = await compare(given, store, [folder.signer], account)
  assert.deepEqual([missing, account.violations], [{ client: 0, target: 0 }, []])
  assert.deepEqual([account.delivered, account.recoverable], [13, 13])
})

test('the same seed draws the same', () => {
  const draw = (): unknown[] => {
    const random = new Random(7)
    return [random.next(), random.between(1, 6), random.scale(1, 1000), random.words(30), random.fork().next()]
  }
  assert.deepEqual(draw(), draw())
  assert.notDeepEqual(new Random(8).next(), new Random(7).next())
})
