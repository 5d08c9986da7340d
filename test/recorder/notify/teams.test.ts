import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newsOf } from '../../../recorder/notify/news.ts'
import { teams } from '../../../recorder/notify/teams.ts'
import { receiver } from '../../support/receiver.ts'
import { listed } from './approvals.ts'

test('a card has the whole command as text that nobody reads as Markdown, and a link to decide', async () => {
  await using there = await receiver()
  const command = 'delete from **people** -- [click](https://evil.example) \u202e\u001b[2J'
  await teams('desk', { url: there.url, console: 'https://sallyport.example' }).deliver(
    newsOf(listed({ command, commandChars: command.length })),
    undefined,
    new AbortController().signal,
  )
  const message = JSON.parse(there.received[0]?.body ?? '')
  const [attachment] = message.attachments
  assert.deepEqual([message.type, attachment.contentType], ['message', 'application/vnd.microsoft.card.adaptive'])
  const { content } = attachment
  assert.deepEqual([content.type, content.version], ['AdaptiveCard', '1.4'])
  assert.ok(
    content.body.every(({ type }: { type: string }) => type === 'RichTextBlock'),
    'a TextBlock would be Markdown',
  )
  const texts = content.body.flatMap(({ inlines }: { inlines: { text: string }[] }) => inlines.map(({ text }) => text))
  assert.ok(texts.includes('delete from **people** -- [click](https://evil.example) \\u{202e}\\x1b[2J'))
  assert.deepEqual(content.actions, [
    { type: 'Action.OpenUrl', title: 'See and decide in the console', url: 'https://sallyport.example/approvals/A-00000001' },
  ])
})

test('a command that is cut says by how much', async () => {
  await using there = await receiver()
  await teams('desk', { url: there.url }).deliver(
    newsOf(listed({ command: 'x'.repeat(4_000), commandChars: 12_345 })),
    undefined,
    new AbortController().signal,
  )
  assert.match(there.received[0]?.body ?? '', /8345 more characters of 12345 not shown here/)
})
