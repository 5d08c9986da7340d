import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newsOf } from '../../../recorder/notify/news.ts'
import { approvalOfButton, blocksOf, buttonOf, slack, slackSignature } from '../../../recorder/notify/slack.ts'
import { receiver } from '../../support/receiver.ts'
import { listed } from './approvals.ts'

const PLACE = { token: 'xoxb', signingSecret: 'shh', channel: 'C01', console: 'https://sallyport.example' }
const signal = new AbortController().signal

interface Block {
  readonly type: string
  readonly elements?: readonly {
    readonly action_id?: string
    readonly elements?: readonly { readonly type: string; readonly text: string }[]
  }[]
}

test('a message comes once, and is changed as the request changes', async () => {
  await using there = await receiver()
  const channel = slack('team', { ...PLACE, api: there.url })
  there.script.push({ body: '{"ok":true,"ts":"17.01"}' })
  const ts = await channel.deliver(newsOf(listed()), undefined, signal)
  assert.equal(ts, '17.01')
  assert.equal(await channel.deliver(newsOf(listed({ state: 'rejected' })), ts, signal), '17.01')
  assert.deepEqual(
    there.received.map(({ path }) => path),
    ['/chat.postMessage', '/chat.update'],
  )
  assert.equal(there.received[0]?.headers.authorization, 'Bearer xoxb')
  const updated = JSON.parse(there.received[1]?.body ?? '')
  assert.equal(updated.ts, '17.01')
  assert.ok(!JSON.stringify(updated).includes('"action_id":"approve"'), 'nothing can be pressed any more')
})

test('what Slack refuses is an error with its code; what may pass is tried again', async () => {
  await using there = await receiver()
  const channel = slack('team', { ...PLACE, api: there.url })
  for (const [code, final] of [
    ['channel_not_found', true],
    ['invalid_auth', true],
    ['ratelimited', false],
  ] as const) {
    there.script.push({ body: JSON.stringify({ ok: false, error: code }) })
    await assert.rejects(channel.deliver(newsOf(listed()), undefined, signal), { message: `Slack says ${code}`, final })
  }
})

test('what others wrote is never markup, is shown escaped, and whole or not to be approved', () => {
  const command = 'delete -- <!channel> *bold* ``` <https://evil.example|ok> \u202e\u0007'
  const blocks = blocksOf(newsOf(listed({ command, commandChars: command.length, requester: '<@U1>' })), PLACE) as Block[]
  assert.deepEqual(
    blocks.map(({ type }) => type),
    ['header', 'rich_text', 'actions'],
  )
  const texts = blocks[1]?.elements?.flatMap(({ elements = [] }) => elements) ?? []
  assert.ok(texts.every(({ type }) => type === 'text'))
  assert.ok(texts.some(({ text }) => text.endsWith('\\u{202e}\\x07')))
  const actions = (of: readonly object[]) => (of as Block[]).at(-1)?.elements?.map(({ action_id }) => action_id)
  assert.deepEqual(actions(blocks), ['approve', 'reject', 'console'])
  const cut = blocksOf(newsOf(listed({ command: 'x'.repeat(4_000), commandChars: 9_000 })), PLACE)
  assert.deepEqual(actions(cut), ['reject', 'console'])
  assert.match(JSON.stringify(cut), /6500 more characters of 9000 not shown here/)
})

test('a button is ours, or none', () => {
  const button = buttonOf('shh', 'A-00000001')
  assert.equal(approvalOfButton('shh', button), 'A-00000001')
  for (const bad of [
    '',
    'A-00000001',
    'A-00000001.',
    button.replace('A-00000001', 'A-00000002'),
    buttonOf('other', 'A-00000001'),
  ])
    assert.equal(approvalOfButton('shh', bad), undefined)
})

test('the signature of requests is the one of Slack’s own example', () => {
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
  assert.equal(
    slackSignature('8f742231b10e8888abcd99yyyzzz85a5', '1531420618', body),
    'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  )
})
