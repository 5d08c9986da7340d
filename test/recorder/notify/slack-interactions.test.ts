import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { buttonOf, slackSignature } from '../../../recorder/notify/slack.ts'
import { SlackInteractions } from '../../../recorder/notify/slack-interactions.ts'
import type { Identity } from '../../../schemas/session.ts'
import { receiver } from '../../support/receiver.ts'
import { ask } from '../desk/contract.ts'

const NOW_MS = Date.parse('2026-11-20T10:00:00Z')
const PEOPLE: Readonly<Record<string, Identity>> = {
  ana: { subject: 'ana', kind: 'human', groups: ['dba'], proof: 'link' },
  zoe: { subject: 'zoe', kind: 'human', groups: ['dba'], proof: 'link' },
}

async function rig(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-slack-'))
  const there = await receiver()
  const desk = openFolderDesk(folder)
  const told: LedgerEntry[] = []
  t.after(async () => {
    desk[Symbol.dispose]()
    await there[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
  const slack = new SlackInteractions(
    {
      token: 'xoxb',
      signingSecret: 'shh',
      channel: 'C01',
      team: 'T01',
      api: there.url,
      approvers: { UANA: 'ana', UZOE: 'zoe', UGONE: 'gone' },
      desk,
      ledger: { append: async (entry) => void told.push(entry) },
      named: async (subject) => PEOPLE[subject],
      onError: (error) => assert.fail(String(error)),
    },
    () => NOW_MS,
  )
  const { id } = await desk.submit(ask({ principal: 'zoe' }))
  const press = (act: string, user = 'UANA', team = 'T01', value = buttonOf('shh', id)): Promise<void> =>
    slack.take(
      JSON.stringify({
        type: 'block_actions',
        user: { id: user },
        team: { id: team },
        trigger_id: 'trigger',
        response_url: 'https://evil.example/',
        actions: [{ action_id: act, value }],
      }),
    ).done
  return { slack, there, desk, told, id, press }
}

test('who is mapped to an approver approves with a click; a second click is told that it came late', async (t) => {
  const { there, desk, told, id, press } = await rig(t)
  await press('approve')
  assert.equal((await desk.get(id)).state, 'approved')
  assert.deepEqual(told, [{ type: 'approval.decision', actor: 'ana', proof: 'slack:T01/UANA', approval: id, act: 'approve' }])
  assert.equal(there.received.length, 0)
  await press('approve')
  const late = JSON.parse(there.received[0]?.body ?? '')
  assert.deepEqual([there.received[0]?.path, late.channel, late.user], ['/chat.postEphemeral', 'C01', 'UANA'])
  assert.match(JSON.stringify(late), /is approved; only a pending one can be decided/)
  assert.equal((await desk.get(id)).decisions.length, 1)
})

test('a rejection asks for its reason first', async (t) => {
  const { slack, there, desk, id, press } = await rig(t)
  await press('reject')
  assert.equal((await desk.get(id)).state, 'pending')
  const opened = JSON.parse(there.received[0]?.body ?? '')
  assert.deepEqual([there.received[0]?.path, opened.trigger_id], ['/views.open', 'trigger'])
  const submit = (value: string | null): Promise<void> =>
    slack.take(
      JSON.stringify({
        type: 'view_submission',
        user: { id: 'UANA' },
        team: { id: 'T01' },
        view: {
          callback_id: 'reject',
          private_metadata: opened.view.private_metadata,
          state: { values: { reason: { text: { value } } } },
        },
      }),
    ).done
  await submit(null)
  assert.equal((await desk.get(id)).state, 'pending', 'without a reason nothing is rejected')
  await submit('use the archive job')
  assert.equal((await desk.get(id)).decisions.at(-1)?.reason, 'use the archive job')
})

test('nobody else decides: strangers, another workspace, who is gone, the human behind the agent, a forged button', async (t) => {
  const { slack, there, desk, id, press } = await rig(t)
  await press('approve', 'UEVE')
  await press('approve', 'UANA', 'T99')
  await press('approve', 'UGONE')
  await press('approve', 'constructor')
  await press('approve', 'UZOE')
  assert.equal(there.received.length, 5)
  assert.ok(there.received.every(({ path }) => path === '/chat.postEphemeral'))
  await assert.rejects(async () => press('approve', 'UANA', 'T01', `${id}.${'0'.repeat(64)}`), { code: 'API_INVALID' })
  for (const bad of ['', '{', '{}', '[]', 'null', '{"type":"block_actions"}'])
    assert.throws(() => slack.take(bad), { code: 'API_INVALID' })
  const { state, decisions } = await desk.get(id)
  assert.deepEqual([state, decisions], ['pending', []])
})

test('only what Slack has signed in the last five minutes is looked at', async (t) => {
  const { slack } = await rig(t)
  const body = Buffer.from('payload=%7B%7D')
  const now = String(NOW_MS / 1000)
  const signed = (at: string): string => slackSignature('shh', at, body)
  assert.ok(slack.verifies(now, signed(now), body))
  assert.ok(!slack.verifies(now, signed(now), Buffer.from('payload=%7B%7D ')))
  assert.ok(!slack.verifies(now, slackSignature('other', now, body), body))
  for (const late of [NOW_MS / 1000 - 301, NOW_MS / 1000 + 301].map(String)) assert.ok(!slack.verifies(late, signed(late), body))
  for (const at of ['', 'NaN', '1e9', '-1', now.padEnd(20, '0')]) assert.ok(!slack.verifies(at, signed(at), body))
  assert.ok(!slack.verifies(now, '', body))
})
