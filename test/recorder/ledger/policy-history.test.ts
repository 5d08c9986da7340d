import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StoreLedger } from '../../../recorder/index.ts'
import { policyHistory } from '../../../recorder/ledger/policy-history.ts'
import { recordingFolder } from '../../support/recording.ts'

const [FIRST, SECOND] = ['a'.repeat(64), 'b'.repeat(64)]

test('the policy in force and those before it are told, newest first, by lines that a trusted key has signed', async () => {
  await using folder = await recordingFolder()
  const { store, signer } = folder
  const trusted = [{ gateway: 'gw1', publicKey: signer.publicKey }]
  assert.deepEqual(await policyHistory(store, trusted), { inForce: null, activations: [], lookedTo: null })
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer, publish: false })
  for (const version of ['1', '2']) await ledger.append({ type: 'gateway.start', version, node: '24', policy: FIRST })
  await ledger.append({ type: 'policy.activate', policy: SECOND, previous: FIRST, by: 'file:ops', request: 'A-1' })
  await ledger.close()
  const { inForce, activations, lookedTo } = await policyHistory(store, trusted)
  assert.deepEqual([inForce, lookedTo], [SECOND, null])
  assert.deepEqual(
    activations.map(({ policy, previous, by, request }) => [policy, previous, by, request]),
    [
      [SECOND, FIRST, 'file:ops', 'A-1'],
      [FIRST, null, null, null],
    ],
  )
  assert.deepEqual(await policyHistory(store, []), { inForce: null, activations: [], lookedTo: null })
})

test('of sessions only the last is checked for its signature: they are most of a ledger', async () => {
  await using folder = await recordingFolder()
  const { store, signer } = folder
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer, publish: false })
  await ledger.append({ type: 'gateway.start', version: '1', node: '24', policy: FIRST })
  const told = { header: SECOND, identity: 'agent-7', target: 'shop', policy: FIRST, durability: 'process' } as const
  for (let number = 1; number <= 20; number++)
    await ledger.append({ type: 'session.open', session: `20260301T000000Z-gw1-${number}`, number, ...told })
  await ledger.close()
  let asked = 0
  const key = {
    gateway: 'gw1',
    get publicKey() {
      asked++
      return signer.publicKey
    },
  }
  const { inForce, activations } = await policyHistory(store, [key])
  assert.deepEqual([inForce, activations.length], [FIRST, 1])
  // For whose key it is, and for its signature: of the last session, and of the start.
  assert.equal(asked, 4)
})
