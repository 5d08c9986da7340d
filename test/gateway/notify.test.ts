import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { loadConfig } from '../../gateway/config.ts'
import { silentLog } from '../../gateway/log.ts'
import { openNotifier } from '../../gateway/notify.ts'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { ask } from '../recorder/desk/contract.ts'
import { configFolder, GOOD } from '../support/config.ts'
import { receiver } from '../support/receiver.ts'

const ENV = {
  SHOP_PASSWORD: 'x',
  HOOK: `whsec_${Buffer.alloc(24, 1).toString('base64')}`,
  BOT: 'xoxb',
  SIGNING: 'shh',
}

test('every configured channel is told, with secrets of the environment', { timeout: 60_000 }, async () => {
  await using hook = await receiver()
  await using slack = await receiver()
  await using teams = await receiver()
  const notify = `
console: { address: "127.0.0.1:0", roles: { approver: [dba] } }
notify:
  - { name: bus, webhook: { url: ${JSON.stringify(hook.url)}, secret: { env: HOOK } } }
  - name: team
    slack: { token: { env: BOT }, signingSecret: { env: SIGNING }, team: T01, channel: C01, approvers: { U01: ana@example.org }, api: ${JSON.stringify(slack.url)} }
  - { name: cards, teams: { url: { env: CARDS } } }
`
  await using folder = await configFolder({ 'sallyport.yaml': GOOD + notify })
  const env = { ...ENV, CARDS: teams.url }
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  await using _notifier = await openNotifier(settings, { log: silentLog(), env, console: 'https://sallyport.example' })
  using desk = openFolderDesk(placesIn(settings.dataDir).approvals)
  const { id } = await desk.submit(ask())
  await Promise.all([hook.until(1), slack.until(1), teams.until(1)])
  const [event] = hook.received
  const { headers, body = '' } = event ?? {}
  const signed = `${String(headers?.['webhook-id'])}.${String(headers?.['webhook-timestamp'])}.${body}`
  const signature = createHmac('sha256', Buffer.alloc(24, 1)).update(signed).digest('base64')
  assert.equal(headers?.['webhook-signature'], `v1,${signature}`)
  for (const each of [hook, slack, teams]) assert.ok(each.received[0]?.body.includes(id))
})

test('a secret of the wrong form is refused at the start', async () => {
  const notify = 'notify:\n  - { name: bus, webhook: { url: "https://bus.example/", secret: { env: HOOK } } }\n'
  await using folder = await configFolder({ 'sallyport.yaml': GOOD + notify })
  const env = { ...ENV, HOOK: 'hunter2' }
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, env)
  await assert.rejects(openNotifier(settings, { log: silentLog(), env, console: undefined }), {
    code: 'CONFIG_INVALID',
    message: /bus/,
  })
})
