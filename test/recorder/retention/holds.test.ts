import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFileSigner, StoreLedger } from '../../../recorder/index.ts'
import { Holds } from '../../../recorder/retention/holds.ts'
import { recordingFolder, START } from '../../support/recording.ts'

const ada = { actor: 'ada', proof: 'key:k1' }

test('a session is held until every matter that holds it is cleared; only what trusted keys have signed counts', async () => {
  await using folder = await recordingFolder()
  const { store, signer } = folder
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  const { id } = info
  const ours = await StoreLedger.open({ store, gateway: 'gw1-cli', signer, publish: false })
  const holds = new Holds(store, async () => [signer])
  await ours.append({ type: 'hold.set', ...ada, session: id, matter: 'case-1', reason: 'audit' })
  await ours.append({ type: 'hold.set', ...ada, session: id, reason: 'a complaint' })
  await holds.catchUp()
  assert.deepEqual(
    holds.inForce().map(({ session, matter, actor, reason }) => ({ session, matter, actor, reason })),
    [
      { session: id, matter: 'case-1', actor: 'ada', reason: 'audit' },
      { session: id, matter: '', actor: 'ada', reason: 'a complaint' },
    ],
  )
  // A stranger who may add to the ledger lifts nothing, under whatever name, and holds nothing.
  const stranger = await openFileSigner(`${folder.path}/elsewhere`, 'gw1')
  const theirs = await StoreLedger.open({ store, gateway: 'gw1-cli', signer: stranger, publish: false })
  await theirs.append({ type: 'hold.clear', ...ada, session: id, reason: 'mine now' })
  await theirs.append({ type: 'hold.set', ...ada, session: 'another', reason: 'nuisance' })
  await theirs.close()
  await holds.catchUp()
  assert.deepEqual([holds.isHeld(id), holds.isHeld('another')], [true, false])
  await ours.append({ type: 'hold.clear', ...ada, session: id, reason: 'answered' })
  await holds.catchUp()
  assert.deepEqual([holds.isHeld(id), holds.inForce().length], [true, 1])
  await ours.append({ type: 'hold.clear', ...ada, session: id, matter: 'case-1', reason: 'closed' })
  await ours.close()
  await holds.catchUp()
  assert.deepEqual([holds.isHeld(id), [...holds.sessions()]], [false, [id]])
})
