import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf } from '../../../gateway/cli/evidence.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { recordingFolder } from '../../support/recording.ts'

test('evidence is read without the secrets that serving needs, with the keys of the data folder', async () => {
  await using folder = await recordingFolder()
  const id = await recorded(folder)
  // The configuration names an environment variable that is not set: serve would refuse it.
  const { store, trusted } = await evidenceOf(undefined, terminal(folder))
  const keys: string[] = []
  for await (const key of store.list('tapes/')) keys.push(key)
  assert.ok(keys.includes(`tapes/${id}/0000.tape`))
  assert.deepEqual(
    trusted.map(({ gateway }) => gateway),
    ['gw1'],
  )
})
