import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Gate } from '../../gateway/gate.ts'
import type { Message, Output } from '../../gateway/message.ts'
import { EchoWire, echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { ALLOW, BLOCK, type FakeParts, fakeParts, HOLD, scriptedJudge } from '../support/fakes.ts'
import { answers, PLAIN, says, testWire } from '../support/pg-words.ts'
import { client, clientGets, idle, meanwhile, play, server, serverGets, taped, toClient, toServer } from '../support/play.ts'

const never = new AbortController().signal
const MAIL = ['ada', 'example.org'].join('@')

function judged(verdict: Verdict, review?: Verdict): FakeParts {
  return fakeParts({ judge: scriptedJudge((message) => (message.from === 'client' ? verdict : ALLOW), review && (() => review)) })
}

function saying(text: string, channel = 0): readonly Message[] {
  return new EchoWire().receive('client', echoFrame(channel, text))
}

async function collect(outputs: AsyncIterable<readonly Output[]>, into: Output[] = []): Promise<Output[]> {
  for await (const batch of outputs) into.push(...batch)
  return into
}

const heard = (outputs: readonly Output[]): string[] =>
  outputs.map(({ to, bytes }) => `${to}: ${Buffer.from(bytes.subarray(5)).toString()}`)

test('nothing is released before its entry is accepted, in both directions', async () => {
  const parts = fakeParts()
  const wire = new EchoWire()
  const gate = new Gate(parts, wire)
  for (const side of ['client', 'server'] as const) {
    parts.recorder.pause()
    const out: Output[] = []
    const passing = collect(gate.pass(wire.receive(side, echoFrame(1, 'hello')), never), out)
    await idle()
    assert.deepEqual(out, [])
    parts.recorder.resume()
    await passing
    assert.deepEqual(heard(out), [`${side === 'client' ? 'server' : 'client'}: hello`])
  }
})

test('a recorder that rejects releases nothing, and the last words go with the seal', async () => {
  const parts = fakeParts()
  const wire = new EchoWire()
  const gate = new Gate(parts, wire)
  parts.recorder.break()
  await assert.rejects(collect(gate.pass(saying('hello'), never)), { code: 'RECORDER_FAILED' })
  const last = await gate.farewell({ why: 'failed', message: 'recording failed', rules: [] }, 60_000)
  assert.deepEqual(heard(last), ['client: ! recording failed'])
  assert.deepEqual(
    parts.recorder.last.map(({ kind }) => kind),
    ['recording.failed', 'farewell'],
  )
})

test('last words follow what was recorded before them, and are written once', async () => {
  const refusal = { why: 'expired', message: 'over', rules: [] } as const
  const gate = new Gate(fakeParts(), new EchoWire())
  gate.order.start()
  const hello = (channel: number): readonly Output[] => new EchoWire().release(saying('hello', channel)[0] as Message)
  const before = await gate.say(hello(1))
  assert.deepEqual(heard(gate.order.take(await gate.farewell(refusal, 60_000))), ['server: hello', 'client: ! over'])
  assert.deepEqual(gate.order.take(before), [], 'whoever recorded it comes later')
  assert.deepEqual(heard(gate.order.take(await gate.say(hello(2)))), ['server: hello'])
})

test('last words that are given before they are on the tape are not written again when they are', async () => {
  const parts = fakeParts()
  const gate = new Gate(parts, new EchoWire())
  gate.order.start()
  parts.recorder.pause()
  const given = await gate.farewell({ why: 'expired', message: 'over', rules: [] }, 1)
  assert.deepEqual(heard(gate.order.take(given)), ['client: ! over'])
  const later = gate.say(new EchoWire().release(saying('hello')[0] as Message))
  // One flush takes both.
  parts.recorder.resume()
  assert.deepEqual(heard(gate.order.take(await later)), ['server: hello'])
})

test('what was released is what came, unless a mask changed it', async () => {
  const messages = saying('nothing to see')
  const [output] = await collect(new Gate(fakeParts(), new EchoWire()).pass(messages, never))
  assert.equal(output?.bytes, messages[0]?.bytes, 'the very same array')
  const secret = saying(`write to ${MAIL}`)
  const parts = fakeParts()
  const [sent] = await collect(new Gate(parts, new EchoWire()).pass(secret, never))
  assert.ok(Buffer.from(sent?.bytes ?? []).includes(MAIL), 'the target gets what the client said')
  assert.ok(!Buffer.from(parts.recorder.entries[0]?.body ?? []).includes(MAIL), 'the tape does not')
  assert.ok(!JSON.stringify(parts.recorder.entries[0]?.facts).includes(MAIL))
})

test('what comes before a held message does not wait with it', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.command?.() === 'please' ? HOLD : ALLOW)) })
  const out: Output[] = []
  const passing = collect(new Gate(parts, new EchoWire()).pass([...saying('first'), ...saying('please')], never), out)
  await idle()
  assert.deepEqual(heard(out), ['server: first', `client: ? held for approval: request A-00000000 (${HOLD.reason})`])
  parts.approvals.decide('A-00000000', 'approved')
  await passing
  assert.equal(heard(out).at(-1), 'server: please')
  assert.deepEqual(parts.approvals.consumed, ['A-00000000'])
})

test('a statement that is held counts once, where the hold begins', async () => {
  const parts = fakeParts({ judge: scriptedJudge(({ from }) => (from === 'client' ? HOLD : ALLOW)) })
  const message = saying('please').map((said) => Object.assign(said, { recorded: () => ({ statements: 1 }) }))
  const passing = collect(new Gate(parts, new EchoWire()).pass(message, never))
  await idle()
  parts.approvals.decide('A-00000000', 'approved')
  await passing
  const asked = parts.recorder.entries.filter(({ dir, facts }) => dir === 'in' && facts['origin'] !== 'gateway')
  assert.deepEqual(
    asked.map(({ verdict, facts }) => [verdict?.act, facts['statements']]),
    [
      ['hold', 1],
      ['allow', undefined],
    ],
  )
})

test('a hold is announced at once, after five seconds, then ever more seldom, until its time is over', async () => {
  // The types do not know yet that it can be mocked.
  mock.timers.enable({ apis: ['setTimeout', 'AbortSignal.timeout' as 'setTimeout'] })
  try {
    const parts = judged({ ...HOLD, timeoutMs: 80_000 })
    const out: Output[] = []
    const passing = collect(new Gate(parts, new EchoWire()).pass(saying('please'), never), out)
    await idle()
    assert.equal(out.length, 1)
    mock.timers.tick(4_999)
    await idle()
    assert.equal(out.length, 1)
    const left: (string | undefined)[] = []
    for (const ms of [1, 9_999, 1, 20_000, 30_000]) {
      mock.timers.tick(ms)
      await idle()
      left.push(/still waiting \((\d+) s left\)/.exec(heard(out).at(-1) ?? '')?.[1])
    }
    assert.deepEqual(left, ['75', '75', '65', '45', '15'])
    assert.equal(out.length, 5)
    mock.timers.tick(15_000)
    await passing
    assert.match(heard(out).at(-1) ?? '', /client: ! .*not approved in time/)
    assert.equal(parts.recorder.entries.at(-2)?.verdict?.act, 'block')
  } finally {
    mock.timers.reset()
  }
})

const endings: readonly (readonly [string, RegExp, (parts: FakeParts, leave: AbortController, gate: Gate) => void])[] = [
  ['rejected', /was rejected: not today/, (parts) => parts.approvals.decide('A-00000000', 'rejected', 'not today')],
  ['left', /was withdrawn/, (_, leave) => leave.abort()],
  ['cancelled', /was withdrawn/, (_, __, gate) => assert.equal(gate.cancelHolds(), true)],
  [
    'approved but used elsewhere',
    /has been used already/,
    (parts) => {
      parts.approvals.spent = true
      parts.approvals.decide('A-00000000', 'approved')
    },
  ],
]
for (const [name, expected, end] of endings) {
  test(`a hold that was ${name} is a refusal, never a release`, async () => {
    const parts = judged(HOLD)
    const gate = new Gate(parts, new EchoWire())
    const leave = new AbortController()
    const out: Output[] = []
    const passing = collect(gate.pass(saying('please'), leave.signal), out)
    await idle()
    end(parts, leave, gate)
    await passing
    assert.match(heard(out).at(-1) ?? '', expected)
    assert.ok(out.every(({ to }) => to === 'client'))
    assert.equal(gate.cancelHolds(), false)
    assert.deepEqual(parts.approvals.withdrawn, name === 'left' || name === 'cancelled' ? ['A-00000000'] : [])
  })
}

test('a desk that cannot be reached, and a policy that throws, are refusals', async () => {
  const parts = judged(HOLD)
  parts.approvals.down = true
  assert.match(
    heard(await collect(new Gate(parts, new EchoWire()).pass(saying('please'), never)))[0] ?? '',
    /desk cannot be reached/,
  )
  const throwing = fakeParts({
    judge: scriptedJudge(() => {
      throw new Error(`secret ${MAIL}`)
    }),
  })
  const out = await collect(new Gate(throwing, new EchoWire()).pass(saying('hi'), never))
  assert.deepEqual(heard(out), ['client: ! the policy could not be evaluated for this message'])
})

test('a block that came meanwhile wins over an approval', async () => {
  const parts = judged(HOLD, BLOCK)
  const out: Output[] = []
  const passing = collect(new Gate(parts, new EchoWire()).pass(saying('please'), never), out)
  await idle()
  parts.approvals.decide('A-00000000', 'approved')
  await passing
  assert.equal(heard(out).at(-1), 'client: ! not here')
  assert.deepEqual(parts.approvals.consumed, [])
})

test('an approval that came too late serves the same message once, and no other', async () => {
  const parts = judged(HOLD)
  const leave = new AbortController()
  const first = collect(new Gate(parts, new EchoWire()).pass(saying('please'), leave.signal))
  await idle()
  leave.abort()
  await first
  parts.approvals.grants.set(parts.approvals.asked[0]?.binding ?? '', 'A-00000000')
  assert.deepEqual(heard(await collect(new Gate(parts, new EchoWire()).pass(saying('please'), never))), ['server: please'])
  parts.approvals.spent = true
  const again = collect(new Gate(parts, new EchoWire()).pass(saying('please '), never))
  await idle()
  assert.equal(parts.approvals.asked.length, 2, 'one byte more is another request')
  parts.approvals.decide('A-00000001', 'rejected')
  await again
})

test('an approval is bound to every byte, parameter, format, role and setting', async () => {
  const asked = async (place: readonly string[], ...before: readonly Uint8Array[]): Promise<string> => {
    const parts = fakeParts({ judge: scriptedJudge((message) => (message.kind === 'execute' ? HOLD : ALLOW)) })
    const told = before.slice(0, -1).flatMap((bytes) => [client(bytes), server(answers.done('SET'), answers.ready())])
    const last = before.at(-1) ?? new Uint8Array()
    await play(testWire({ place }), parts, [
      ...told,
      client(last),
      meanwhile(() => parts.approvals.decide('A-00000000', 'rejected')),
    ])
    return parts.approvals.asked[0]?.binding ?? assert.fail('nothing was held')
  }
  const run = (text: string, values: readonly string[], formats: readonly number[] = []): Buffer =>
    Buffer.concat([says.parse('', text), says.bind('', '', values, formats), says.execute(), says.sync()])
  const bindings = await Promise.all([
    asked(['app', 'shop'], run('delete from t where id = $1', ['1'])),
    asked(['app', 'shop'], run('delete from t where id = $1 ', ['1'])),
    asked(['app', 'shop'], run('delete from t where id = $1', ['2'])),
    asked(['app', 'shop'], run('delete from t where id = $1', ['1'], [1])),
    asked(['root', 'shop'], run('delete from t where id = $1', ['1'])),
    asked(['app', 'other'], run('delete from t where id = $1', ['1'])),
    asked(['app', 'shop'], says.query('set search_path = x'), run('delete from t where id = $1', ['1'])),
    asked(['app', 'shop'], says.query('set role x'), run('delete from t where id = $1', ['1'])),
  ])
  assert.equal(new Set(bindings).size, bindings.length)
  assert.equal(bindings[0], await asked(['app', 'shop'], run('delete from t where id = $1', ['1'])))
})

test('a threshold cuts inside a result: the first units pass, the rest is refused or held', async () => {
  const column = answers.columns({ name: 'x', table: PLAIN })
  const rows = [column, answers.row('a'), answers.row('b'), answers.row('c'), answers.done('SELECT 3'), answers.ready()]
  const parts = fakeParts({
    judge: scriptedJudge((message) => (message.units > 0 ? { ...HOLD, keep: 2 } : ALLOW)),
  })
  await play(testWire(), parts, [
    client(says.query('select x from t')),
    toServer(says.query('select x from t')),
    taped('query'),
    server(...rows),
    clientGets((bytes) => assert.ok(bytes.includes('b') && bytes.includes('held for approval') && !bytes.includes('SELECT 3'))),
    taped('reply', 'reply:hold', 'notice'),
    meanwhile(() => parts.approvals.decide('A-00000000', 'approved')),
    toClient(answers.row('c'), answers.done('SELECT 3'), answers.ready()),
    serverGets((bytes) => assert.equal(bytes.length, 0)),
  ])
})

test('a message in parts has the verdict of its first', async () => {
  const big = Buffer.from(answers.row('x'.repeat(300_000)))
  let judgedCount = 0
  const parts = fakeParts({
    judge: scriptedJudge((message) => (message.from === 'server' && message.units > 0 && judgedCount++ === 0 ? BLOCK : ALLOW)),
  })
  await play(testWire(), parts, [
    client(says.query('select x from t')),
    server(answers.columns({ name: 'x', table: PLAIN })),
    clientGets(() => undefined),
    server(big.subarray(0, 100_000)),
    clientGets((bytes) => assert.ok(bytes.includes('not here'))),
    server(big.subarray(100_000)),
    toClient(),
    server(answers.row('y'), answers.done(), answers.ready()),
    toClient(answers.ready()),
  ])
})

test('what only the end of the session stops rejects, and releases nothing', async () => {
  const error = new ApplianceError('POLICY_BLOCKED', 'in the middle of a message')
  const parts = fakeParts({
    judge: scriptedJudge(() => {
      throw error
    }),
  })
  const out: Output[] = []
  await assert.rejects(collect(new Gate(parts, new EchoWire()).pass(saying('hi'), never), out), error)
  assert.deepEqual(out, [])
})

test('a message that cannot be judged yet waits alone: what came before goes on, what comes behind stays behind it', async () => {
  const [before, slow, behind] = [...saying('before'), ...saying('slow'), ...saying('behind')]
  assert.ok(before && slow && behind)
  let read = (): void => undefined
  let unread: Promise<void> | undefined = new Promise((resolve) => {
    read = resolve
  })
  const pending = Object.assign(slow, { pending: () => unread })
  const parts = fakeParts({
    judge: scriptedJudge((message) => {
      assert.ok(message !== pending || unread === undefined, 'judged before it could be')
      return ALLOW
    }),
  })
  const out: Output[] = []
  const passing = collect(new Gate(parts, new EchoWire()).pass([before, pending, behind], never), out)
  await idle()
  assert.deepEqual(heard(out), ['server: before'])
  const others: Output[] = []
  await collect(new Gate(fakeParts(), new EchoWire()).pass(saying('another session'), never), others)
  assert.deepEqual(heard(others), ['server: another session'])
  unread = undefined
  read()
  await passing
  assert.deepEqual(heard(out), ['server: before', 'server: slow', 'server: behind'])
})
