import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../../gateway/message.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'
import type { Verdict } from '../../../../schemas/verdict.ts'
import { ALLOW, BLOCK, type FakeParts, fakeParts, HOLD, scriptedJudge } from '../../../support/fakes.ts'
import { answers, LABELLED, PLAIN, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, meanwhile, play, server, serverGets, taped, toClient, toServer } from '../../../support/play.ts'

const POISON = 'sallyport refused this statement'
const NAME = 'Ada Lovelace'
const plainColumn = answers.columns({ name: 'x', table: PLAIN, attribute: 1 })
const labelledColumn = answers.columns({ name: 'x', table: LABELLED, attribute: 1 })
const nothing = toClient()
const outOfStep = { code: 'PROTOCOL_MALFORMED' }

/** Blocks whatever runs a text that holds `forbidden`; remembers every text it was asked about. */
function watchful(seen: string[] = []): FakeParts {
  const judge = (message: Message): Verdict => {
    const text = message.command?.() ?? ''
    if (message.from === 'client' && text !== '') seen.push(`${message.kind}: ${text}`)
    return message.kind !== 'parse' && /forbidden/.test(text) ? BLOCK : ALLOW
  }
  return fakeParts({ judge: scriptedJudge(judge) })
}

const masked = clientGets((bytes) => {
  assert.ok(!bytes.includes(NAME), 'a labelled value came through')
  assert.ok(bytes.includes('[MASKED:name'), 'masked, not lost')
})

test('a query goes to the server as it came, and its answer to the client as it came', async () => {
  await play(testWire(), fakeParts(), [
    client(says.query('select 1')),
    toServer(says.query('select 1')),
    taped('query'),
    server(plainColumn, answers.row('1'), answers.done(), answers.ready()),
    toClient(plainColumn, answers.row('1'), answers.done(), answers.ready()),
    taped('reply'),
  ])
})

test('a refused query is replaced by one that fails, and its error by ours', async () => {
  await play(testWire(), watchful(), [
    client(says.query('forbidden')),
    toServer(says.query(POISON)),
    taped('query:block', 'refused'),
    server(answers.error('syntax error at or near "sallyport"'), answers.ready('E')),
    clientGets((bytes) => {
      assert.ok(bytes.includes('not here') && bytes.includes('42501') && !bytes.includes('sallyport"'))
      assert.ok(
        bytes.toString('latin1').endsWith(Buffer.from(answers.ready('E')).toString('latin1')),
        'the status is the server’s own',
      )
    }),
  ])
})

test('pipelined refusals are answered in turn', async () => {
  await play(testWire(), watchful(), [
    client(says.query('select 1'), says.query('forbidden'), says.query('select 2')),
    toServer(says.query('select 1'), says.query(POISON), says.query('select 2')),
    server(plainColumn, answers.row('one'), answers.done(), answers.ready()),
    toClient(plainColumn, answers.row('one'), answers.done(), answers.ready()),
    server(answers.error(), answers.ready(), plainColumn, answers.row('two'), answers.done(), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.indexOf('not here') < bytes.indexOf('two') && bytes.includes('not here'))),
  ])
})

test('what runs is judged by the text the server has under that name, not by the last one sent', async () => {
  const seen: string[] = []
  await play(testWire(), watchful(seen), [
    client(says.parse('s1', 'select forbidden'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.parse('s1', 'select harmless'), says.sync()),
    server(answers.error('prepared statement "s1" already exists'), answers.ready()),
    serverGets(() => undefined),
    client(says.bind('', 's1'), says.execute(), says.sync()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
    taped('parse', 'reply', 'parse', 'reply', 'execute:block', 'refused', 'sync'),
  ])
  assert.match(seen.at(-1) ?? '', /execute: select forbidden/)
})

test('while two texts are in question both are judged', async () => {
  await play(testWire(), watchful(), [
    client(says.parse('s1', 'select forbidden'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.parse('s1', 'select harmless'), says.sync(), says.bind('', 's1'), says.execute(), says.sync()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
  ])
})

test('a Parse that the server skips behind an error defines nothing', async () => {
  await play(testWire(), watchful(), [
    client(says.parse('s1', 'select forbidden'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.parse('', 'bad'), says.flush()),
    server(answers.error()),
    client(says.parse('s1', 'select harmless'), says.sync()),
    server(answers.ready()),
    client(says.parse('s2', 'select 2'), says.sync()),
    server(answers.parsed(), answers.ready()),
    serverGets(() => undefined),
    client(says.bind('', 's1'), says.execute(), says.sync()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
  ])
})

test('a Close that the server skips behind an error forgets nothing', async () => {
  await play(testWire(), watchful(), [
    client(says.parse('s1', 'select forbidden'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.parse('', 'bad'), says.close('S', 's1'), says.sync()),
    server(answers.error(), answers.ready()),
    serverGets(() => undefined),
    client(says.bind('', 's1'), says.execute(), says.sync()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
  ])
})

test('names that the server cuts to the same 63 bytes are one name', async () => {
  const long = 'n'.repeat(63)
  await play(testWire(), watchful(), [
    client(says.parse(`${long}1`, 'select harmless'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.close('S', `${long}2`), says.parse(`${long}2`, 'select forbidden'), says.sync()),
    server(answers.closed(), answers.parsed(), answers.ready()),
    serverGets(() => undefined),
    client(says.bind('', `${long}1`), says.execute(), says.sync()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
  ])
})

test('SQL-level EXECUTE of a statement prepared by Parse is judged with its text', async () => {
  const parts = fakeParts({
    judge: scriptedJudge((message) =>
      /forbidden/.test(String(message.facts()['columns'] ?? '')) && message.kind === 'query' ? BLOCK : ALLOW,
    ),
  })
  await play(testWire(), parts, [
    client(says.parse('s1', 'select forbidden'), says.sync()),
    server(answers.parsed(), answers.ready()),
    serverGets(() => undefined),
    client(says.query('execute s1')),
    toServer(says.query(POISON)),
  ])
})

test('a statement prepared by SQL is judged when the protocol binds it, also under a name used before', async () => {
  await play(testWire(), watchful(), [
    client(says.parse('s', 'select harmless'), says.sync()),
    server(answers.parsed(), answers.ready()),
    client(says.query('deallocate s')),
    server(answers.done('DEALLOCATE'), answers.ready()),
    client(says.query('prepare s as select harmless2')),
    server(answers.done('PREPARE'), answers.ready()),
    serverGets(() => undefined),
    client(says.bind('', 's'), says.execute(), says.sync()),
    meanwhile(() => undefined),
    serverGets((bytes) => assert.ok(bytes.includes('B') && !bytes.includes(POISON))),
  ])
  const seen: string[] = []
  await play(testWire(), watchful(seen), [
    client(says.query('prepare s as select 1')),
    server(answers.done('PREPARE'), answers.ready()),
    client(says.bind('', 's'), says.execute(), says.sync()),
  ])
  assert.match(seen.at(-1) ?? '', /execute: prepare s as select 1/)
})

test('nobody’s portal has unreadable facts, and its rows are described before they pass', async () => {
  const facts: unknown[] = []
  const parts = fakeParts({
    judge: scriptedJudge((message) => {
      facts.push(message.facts()['parse_ok'])
      return ALLOW
    }),
  })
  await play(testWire(), parts, [
    client(says.execute('c'), says.sync()),
    toServer(says.describe('P', 'c'), says.execute('c'), says.sync()),
    server(labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
  assert.equal(facts[0], false)
})

test('a refused statement of a pipeline makes the server skip to the Sync, and so do we', async () => {
  const wire = testWire()
  await play(wire, watchful(), [
    client(says.parse('', 'select forbidden'), says.bind('', ''), says.execute(), says.flush()),
    serverGets((bytes) => assert.ok(bytes.includes(POISON))),
    server(answers.error()),
    clientGets((bytes) => assert.ok(bytes.includes('not here'))),
    client(says.parse('', 'select 1'), says.bind('', ''), says.describe('P'), says.execute()),
    client(says.query('select 2')),
    client(says.sync()),
    server(answers.ready()),
    toClient(answers.ready()),
    serverGets(() => undefined),
    client(says.query('select 3')),
    server(labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ])
})

test('a result is cut in the middle, the client is told, and the pipeline’s Sync is still answered', async () => {
  let cancelled = 0
  let rows = 0
  const judge = (message: Message): Verdict => {
    if (message.from === 'client') return ALLOW
    rows += message.units
    return rows > 2 ? ({ ...BLOCK, keep: 1 } as const) : ALLOW
  }
  await play(testWire({ cancelUpstream: () => void cancelled++ }), fakeParts({ judge: scriptedJudge(judge) }), [
    client(says.parse('', 'select 1'), says.bind('', ''), says.describe('P'), says.execute()),
    client(says.parse('', 'select 2'), says.bind('', ''), says.describe('P'), says.execute(), says.sync()),
    server(answers.parsed(), answers.bound(), plainColumn, answers.row('a'), answers.row('b')),
    toClient(answers.parsed(), answers.bound(), plainColumn, answers.row('a'), answers.row('b')),
    server(answers.row('c'), answers.row('d')),
    clientGets((bytes) =>
      assert.ok(bytes.includes('c') && !bytes.includes('Dd') && bytes.includes('not here') && bytes.indexOf('c') > 0),
    ),
    server(answers.row('e'), answers.done('SELECT 5')),
    nothing,
    server(answers.parsed(), answers.bound(), plainColumn, answers.done('SELECT 0'), answers.ready()),
    toClient(answers.ready()),
  ])
  assert.equal(cancelled, 1)
})

test('a refused COPY FROM STDIN fails at the server, and the client’s remaining data is dropped', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.kind === 'copy-data' ? BLOCK : ALLOW)) })
  await play(testWire(), parts, [
    client(says.query('copy t from stdin')),
    server(answers.copyIn()),
    toClient(answers.copyIn()),
    serverGets(() => undefined),
    client(says.copyData('1\n')),
    serverGets((bytes) => assert.equal(bytes[0], 0x66)),
    client(says.copyData('2\n'), says.copyDone(), says.query('select 1')),
    toServer(says.query('select 1')),
    server(answers.error('COPY from stdin failed'), answers.ready()),
    clientGets((bytes) => assert.ok(bytes.includes('not here') && !bytes.includes('stdin failed'))),
    server(plainColumn, answers.done(), answers.ready()),
    toClient(plainColumn, answers.done(), answers.ready()),
  ])
})

test('a Sync that a COPY reads is not waited for, whenever the server’s answer comes', async () => {
  const copy = [says.parse('', 'copy t from stdin'), says.bind('', ''), says.execute()] as const
  const after = [
    client(says.query('select 1')),
    server(labelledColumn, answers.row(NAME), answers.done(), answers.ready()),
    masked,
  ] as const
  const parsed = [answers.parsed(), answers.bound(), answers.noData()] as const
  await play(testWire(), fakeParts(), [
    client(...copy, says.sync(), says.copyData('1\n'), says.copyDone(), says.sync()),
    server(...parsed, answers.copyIn(), answers.done('COPY 1'), answers.ready()),
    clientGets(() => undefined),
    ...after,
  ])
  await play(testWire(), fakeParts(), [
    client(...copy, says.sync()),
    server(...parsed, answers.copyIn()),
    client(says.copyData('1\n'), says.copyDone(), says.sync()),
    server(answers.done('COPY 1'), answers.ready()),
    clientGets(() => undefined),
    ...after,
  ])
  await play(testWire(), fakeParts(), [
    client(...copy),
    server(...parsed, answers.copyIn()),
    client(says.sync(), says.copyData('x\n')),
    server(answers.error('bad data')),
    client(says.copyData('x\n'), says.copyDone(), says.sync()),
    server(answers.ready()),
    clientGets(() => undefined),
    ...after,
  ])
})

test('where it cannot be known whether a COPY read a Sync, the session ends', async () => {
  const steps = [
    client(says.parse('', 'copy t from stdin'), says.bind('', ''), says.execute(), says.sync()),
    server(answers.parsed(), answers.bound(), answers.noData(), answers.copyIn()),
    client(says.copyData('x\n')),
  ] as const
  await assert.rejects(
    play(testWire(), fakeParts(), [...steps, server(answers.error('bad data')), client(says.query('select 1'))]),
    outOfStep,
  )
  await assert.rejects(
    play(testWire(), fakeParts(), [
      ...steps,
      client(says.copyDone(), says.query('select 1'), says.sync()),
      server(answers.error('bad data')),
    ]),
    outOfStep,
  )
  await assert.rejects(play(testWire(), fakeParts(), [...steps, client(says.sync())]), outOfStep)
})

test('a held statement is announced, and released byte for byte once approved', async () => {
  const parts = fakeParts({ judge: scriptedJudge((message) => (message.kind === 'execute' ? HOLD : ALLOW)) })
  const asked = [says.parse('s', 'delete from t'), says.bind('', 's'), says.describe('P'), says.execute(), says.sync()]
  await play(testWire(), parts, [
    client(...asked),
    toServer(),
    clientGets((bytes) => assert.ok(bytes.includes('held for approval: request A-00000000'))),
    taped('execute:hold', 'notice'),
    meanwhile(() => parts.approvals.decide('A-00000000', 'approved')),
    toServer(...asked),
    taped('approval:hold', 'execute'),
  ])
})

/** Judges as the policy does what cannot be read at all; lets everything else go on. */
function literate(): FakeParts {
  const judge = (message: Message): Verdict => {
    const { malformed } = message.from === 'client' ? message.facts() : {}
    return typeof malformed === 'string' ? { ...BLOCK, rules: ['policy.malformed'], reason: malformed } : ALLOW
  }
  return fakeParts({ judge: scriptedJudge(judge) })
}

const told = (sqlState: string, words: string) =>
  clientGets((bytes) => assert.ok(bytes.includes(`C${sqlState}\0`) && bytes.includes(words), bytes.toString('latin1')))

test('a text behind a NUL and one that is not UTF-8 are answered as the server would, in turn, and the session goes on', async () => {
  const nul = Buffer.from(says.query('select 1 select 2'))
  nul[13] = 0
  const latin = Buffer.from(says.query('select 1'))
  latin[7] = 0xff
  for (const [bytes, state, words] of [
    [nul, '08P01', 'invalid message format'],
    [latin, '22021', 'invalid byte sequence for encoding "UTF8"'],
    [Buffer.from([0x51, 0, 0, 0, 4]), '08P01', 'invalid message format'],
  ] as const) {
    await play(testWire(), literate(), [
      client(bytes, says.query('select 2')),
      toServer(says.query(POISON), says.query('select 2')),
      taped('query:block', 'refused', 'query'),
      server(answers.error(), answers.ready()),
      told(state, words),
      server(plainColumn, answers.row('2'), answers.done(), answers.ready()),
      toClient(plainColumn, answers.row('2'), answers.done(), answers.ready()),
    ])
  }
})

test('in the extended protocol the server skips to the Sync behind it', async () => {
  const latin = Buffer.from(says.parse('', 'select 1'))
  latin[9] = 0xff
  const longer = Buffer.concat([says.execute('p'), Buffer.of(0)])
  longer.writeInt32BE(longer.length - 1, 1)
  const nothing = Buffer.from([0x42, 0, 0, 0, 6, 0xff, 0xff]) // a Bind without names
  for (const [bytes, state] of [
    [latin, '22021'],
    [longer, '08P01'],
    [nothing, '08P01'],
  ] as const) {
    await play(testWire(), literate(), [
      client(bytes, says.execute(), says.sync()),
      serverGets((sent) => assert.ok(sent.includes(POISON) && !sent.includes(bytes), sent.toString('latin1'))),
      server(answers.error(), answers.ready()),
      told(state, 'invalid'),
    ])
  }
})

test('a setting that changes how texts are read ends the session, also before it is reported', async () => {
  for (const [name, value] of [
    ['client_encoding', 'LATIN1'],
    ['standard_conforming_strings', 'off'],
  ] as const) {
    await assert.rejects(play(testWire(), fakeParts(), [server(answers.setting(name, value))]), { code: 'PROTOCOL_UNSUPPORTED' })
    await assert.rejects(
      play(testWire(), fakeParts(), [client(says.query(`set ${name} = '${value}'`), says.query('select 1'))]),
      (error) => error instanceof ApplianceError && error.code === 'PROTOCOL_UNSUPPORTED',
    )
  }
})
