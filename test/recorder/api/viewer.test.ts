import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ApiRig, apiRig, PEOPLE } from '../../support/api.ts'
import { START } from '../../support/recording.ts'

let rig: ApiRig
let shop: string
let vault: string

before(async () => {
  rig = await apiRig()
  shop = (await rig.room.open(START)).info.id
  vault = (await rig.room.open({ ...START, target: { ...START.target, name: 'vault' } })).info.id
  await rig.catalog.settle()
})
after(() => rig[Symbol.asyncDispose]())

test('who is auditor and investigator reads everything, and does something about their own targets alone', async (t) => {
  t.after(() => rig.changed.clear())
  rig.changed.set('audrey', { ...PEOPLE.audrey, groups: ['auditors', 'investigators', 'agents'] })
  const audrey = await rig.as('audrey')
  rig.killed.length = 0
  for (const deed of ['kill', 'summary']) {
    assert.equal((await audrey.ask(`/sessions/${vault}/${deed}`, { body: { reason: 'x' } })).status, 403, deed)
    assert.notEqual((await audrey.ask(`/sessions/${shop}/${deed}`, { body: { reason: 'x' } })).status, 403, deed)
  }
  assert.deepEqual(rig.killed, [`${shop} audrey x`])
  assert.deepEqual((await audrey.ask(`/sessions/${vault}`)).json.may, { read: true, kill: false })
  assert.equal('summaryBy' in (await audrey.ask(`/sessions/${vault}`)).json, false)
})
