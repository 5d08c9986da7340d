import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deallocated } from '../../../../gateway/protocols/postgres/deallocate.ts'
import { ALLOW, fakeParts, scriptedJudge } from '../../../support/fakes.ts'
import { answers, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, play, server } from '../../../support/play.ts'

const ready = answers.ready()
const nothing = clientGets(() => undefined)

test('a name is told as the server folds it, and only where nothing else is done', () => {
  for (const [sql, given] of [
    ['DEALLOCATE a1', { name: 'a1' }],
    ['deallocate prepare A1 ;', { name: 'a1' }],
    ['deallocate prepare', { name: 'prepare' }],
    ['deallocate "A""1"', { name: 'A"1' }],
    [`deallocate ${'x'.repeat(80)}`, { name: 'x'.repeat(63) }],
    ['DEALLOCATE ALL', {}],
    ['deallocate "all"', { name: 'all' }],
    ['discard all', {}],
    ['discard plans', undefined],
    ['deallocate a; prepare a as select 1', undefined],
    ['deallocate /* b */ a', undefined],
    ['deallocate U&"a"', undefined],
    ['select 1', undefined],
  ] as const)
    assert.deepEqual(deallocated(sql), given, sql)
})

test('a driver that gives up each statement by SQL may prepare new ones for ever', async () => {
  const wire = testWire()
  const parts = fakeParts()
  const rounds = Array.from({ length: 5_100 }, (_, index) => [
    client(says.parse(`a${index}`, 'select 1'), says.parse('kept', 'select 2'), says.sync()),
    server(answers.parsed(), answers.parsed(), ready),
    nothing,
    client(says.query(`DEALLOCATE a${index}`), says.parse('', 'deallocate kept'), says.bind('', ''), says.execute(), says.sync()),
    server(
      answers.done('DEALLOCATE'),
      ready,
      answers.parsed(),
      answers.bound(),
      answers.noData(),
      answers.done('DEALLOCATE'),
      ready,
    ),
    nothing,
  ]).flat()
  await play(wire, parts, rounds)
})

test('so may one that prepares them by SQL', async () => {
  const both = (tag: string) => [server(answers.done(tag), ready), nothing]
  const rounds = Array.from({ length: 10_100 }, (_, index) => [
    client(says.query(`prepare a${index} as select 1`)),
    ...both('PREPARE'),
    client(says.query(index % 100 === 99 ? 'deallocate all' : `deallocate a${index}`)),
    ...both(index % 100 === 99 ? 'DEALLOCATE ALL' : 'DEALLOCATE'),
  ]).flat()
  await play(testWire(), fakeParts(), rounds)
})

test('what SQL prepared right behind giving it up stands for what it was made', async () => {
  const seen: string[] = []
  const judge = scriptedJudge((message) => {
    if (message.from === 'client') seen.push(message.command?.() ?? '')
    return ALLOW
  })
  await play(testWire(), fakeParts({ judge }), [
    client(says.query('prepare s as select 1')),
    server(answers.done('PREPARE'), ready),
    nothing,
    client(says.query('deallocate s'), says.query('prepare s as select 2')),
    server(answers.done('DEALLOCATE'), ready, answers.done('PREPARE'), ready),
    nothing,
    client(says.query('execute s')),
    server(answers.done(), ready),
    nothing,
    client(says.query('deallocate s')),
    server(answers.done('DEALLOCATE'), ready),
    nothing,
    client(says.query('execute s')),
    server(answers.error(), ready),
    nothing,
  ])
  assert.match(seen.at(3) ?? '', /prepare s as select 2/)
  assert.equal(seen.at(-1), '', 'nobody knows it any more')
})

test('what the server did not give up still stands for what it was', async () => {
  const prepare = (sql: string) => [client(says.parse('s', sql), says.sync()), server(answers.parsed(), ready), nothing]
  const names = Array.from({ length: 5_100 }, (_, index) => index)
  await assert.rejects(
    play(testWire(), fakeParts(), [
      ...prepare('select 1'),
      ...names.flatMap((index) => [
        client(says.parse(`a${index}`, 'select 1'), says.parse(`b${index}`, 'select 1'), says.sync()),
        server(answers.parsed(), answers.parsed(), ready),
        nothing,
        client(says.query(`deallocate a${index}`)),
        server(answers.error('26000'), ready),
        nothing,
      ]),
    ]),
    { code: 'PROTOCOL_OVERSIZE' },
  )
})
