import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../../gateway/message.ts'
import { ALLOW, type FakeParts, fakeParts, scriptedJudge } from '../../../support/fakes.ts'
import { answers, says, testWire } from '../../../support/pg-words.ts'
import { client, play, server } from '../../../support/play.ts'

interface Seen {
  readonly kind: string
  readonly command: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly holdLimitMs: number | undefined
}

/** What a judge could know of each request when it came. */
function witness(): { readonly parts: FakeParts; readonly seen: Seen[] } {
  const seen: Seen[] = []
  const judge = (message: Message): typeof ALLOW => {
    const { kind, holdLimitMs } = message
    if (message.from === 'client') seen.push({ kind, command: message.command?.() ?? '', facts: message.facts(), holdLimitMs })
    return ALLOW
  }
  return { parts: fakeParts({ judge: scriptedJudge(judge) }), seen }
}

const run = [says.bind('', 's', ['5']), says.execute(), says.sync()] as const

test('an execution has the facts of the text it runs, and is shown with its parameters', async () => {
  const { parts, seen } = witness()
  await play(testWire(), parts, [client(says.parse('s', 'delete from t where id = $1'), says.sync(), ...run)])
  const [parse, execute] = seen
  assert.deepEqual([parse?.kind, execute?.kind], ['parse', 'execute'])
  assert.deepEqual(execute?.facts['verbs'], ['DELETE'])
  assert.equal(execute?.command, "delete from t where id = $1\n-- $1 = '5'")
})

test('nobody waits long for a person inside a transaction', async () => {
  const { parts, seen } = witness()
  await play(testWire(), parts, [
    client(says.query('begin')),
    server(answers.done('BEGIN'), answers.ready('T')),
    client(says.query('delete from t')),
  ])
  assert.equal(seen[0]?.holdLimitMs, Number.POSITIVE_INFINITY)
  assert.equal(seen[1]?.holdLimitMs, 10_000)
  assert.equal(seen[1]?.facts['in_transaction'], true)
})

test('a password is not shown to who approves, however long a parameter is shown', async () => {
  const { parts, seen } = witness()
  await play(testWire(), parts, [
    client(says.query(`alter role app password 'hunter'`)),
    client(says.parse('s', 'select $1'), says.bind('', 's', ['x'.repeat(5_000)]), says.execute(), says.sync()),
  ])
  assert.equal(seen[0]?.command, `alter role app password '[MASKED:password]'`)
  assert.match(seen[1]?.command ?? '', /3002 more characters, bound exactly/)
})

test('EXECUTE of what nobody prepared here, a portal nobody bound, and a function by number are unreadable', async () => {
  const { parts, seen } = witness()
  const call = Buffer.from([0x46, 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  await play(testWire(), parts, [client(says.query('execute nobody')), client(says.execute('nobody')), client(call)])
  for (const { facts, kind } of seen) assert.equal(facts['parse_ok'], false, kind)
})

test('names used inside the text that defines them are known', async () => {
  const { parts, seen } = witness()
  await play(testWire(), parts, [client(says.query('prepare a as select 1; execute a'))])
  assert.equal(seen[0]?.facts['parse_ok'], true)
})

test('names lead on to names: EXECUTE of a statement that fetches from a cursor', async () => {
  const { parts, seen } = witness()
  await play(testWire(), parts, [
    client(says.query('declare c cursor for select * from customers')),
    client(says.parse('f', 'fetch all from c'), says.sync()),
    client(says.query('execute f')),
  ])
  assert.deepEqual(seen.at(-1)?.facts['relations'], ['customers'])
})
