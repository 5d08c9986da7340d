import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoCard } from '../../../gateway/demo/demo-card.ts'

test('the card can be pasted: everybody has their key, the port and the session are the real ones', () => {
  const keys = { agent: 'key-of-agent', otherAgent: 'key-of-other', human: 'key-of-human', approver: 'key-of-approver' }
  const card = demoCard({ port: 7777, keys, session: 'session-1', command: 'npx sallyport' })
  assert.match(card, /PGPASSWORD=key-of-agent psql "host=127\.0\.0\.1 port=7777 dbname=shop user=agent-7 sslmode=require"/)
  assert.match(card, /PGPASSWORD=key-of-human psql "[^"]*user=ada@example\.com sslmode=require"/)
  assert.match(card, /export SALLYPORT_KEY=key-of-approver/)
  assert.match(card, /npx sallyport replay session-1/)
  assert.doesNotMatch(card, /undefined/)
})

test('the card has the console’s link where there is a page, and no word of it where there is none', () => {
  const facts = {
    port: 7777,
    keys: { agent: 'a', otherAgent: 'o', human: 'h', approver: 'p' },
    session: 'session-1',
    command: 'npx sallyport',
  }
  assert.match(
    demoCard({ ...facts, console: 'http://127.0.0.1:7480/#sign-in=x' }),
    /^ {4}http:\/\/127\.0\.0\.1:7480\/#sign-in=x$/m,
  )
  assert.doesNotMatch(demoCard(facts), /browser/)
})
