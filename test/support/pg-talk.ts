import fc from 'fast-check'
import { answers, PLAIN, says } from './pg-words.ts'
import type { Talk } from './properties.ts'

/** One request and its answer, so that they can follow each other or be pipelined. */
interface Exchange {
  readonly asked: readonly Uint8Array[]
  readonly answered: readonly Uint8Array[]
}

const TEXT = 25
const VARCHAR = 1043
const BYTEA = 17
const TEXT_ARRAY = 1009

/** Conversations after login, simple and extended, pipelined or not, with `secret` wherever a value may stand. */
export function postgresTalk(secret: string): fc.Arbitrary<Talk> {
  const value = fc.constantFrom('', 'clean', 'größer', secret, `write to ${secret}, please`)
  const cell = fc.option(value, { nil: null })
  const name = fc.constantFrom('x', 'total', `"${secret}"`)
  const table = fc.constantFrom(0, PLAIN)
  const result = fc
    .record({
      names: fc.array(fc.record({ name, table, type: fc.constantFrom(TEXT, VARCHAR, BYTEA, TEXT_ARRAY) }), {
        minLength: 1,
        maxLength: 4,
      }),
      rows: fc.array(fc.array(cell, { minLength: 4, maxLength: 4 }), { maxLength: 5 }),
      format: fc.constantFrom(0, 1),
    })
    // What a bytea holds in text format has tests of its own (masking/bytea.test.ts): here every value is what it says.
    .map(({ names, rows, format }) => ({
      format,
      description: answers.columns(
        ...names.map((one) => ({ ...one, type: format === 0 && one.type === BYTEA ? TEXT : one.type, format })),
      ),
      rows: rows.map((cells) => answers.row(...cells.slice(0, names.length))),
    }))
  const asides = fc.array(
    fc.oneof(
      value.map((text) => answers.notice(text)),
      value.map((text) => answers.notification('jobs', text)),
      value.map((text) => answers.setting('application_name', text)),
    ),
    { maxLength: 2 },
  )
  const done = answers.done()
  const ready = answers.ready()

  const simple = fc.record({ text: value, results: fc.array(result, { maxLength: 2 }), asides }).map(
    ({ text, results, asides: said }): Exchange => ({
      asked: [says.query(`select '${text}'`)],
      answered: [
        ...said,
        ...(results.length === 0 ? [answers.empty()] : results.flatMap(({ description, rows }) => [description, ...rows, done])),
        ready,
      ],
    }),
  )
  const extended = fc.record({ text: value, parameter: value, result, asides, suspended: fc.boolean() }).map(
    ({ text, parameter, result: { description, rows, format }, asides: said, suspended }): Exchange => ({
      asked: [
        says.parse('', `select '${text}', $1`),
        says.bind('', '', [parameter], [format]),
        says.describe('P'),
        says.execute('', suspended ? rows.length : 0),
        says.close('P'),
        says.sync(),
      ],
      answered: [
        answers.parsed(),
        ...said,
        answers.bound(),
        description,
        ...rows,
        suspended ? answers.suspended() : done,
        answers.closed(),
        ready,
      ],
    }),
  )
  const failed = fc.tuple(value, fc.boolean()).map(
    ([text, late]): Exchange => ({
      asked: [says.parse('', `select '${text}'`), says.bind('', ''), says.describe('P'), says.execute(), says.sync()],
      answered: [...(late ? [answers.parsed(), answers.bound()] : []), answers.error(text), answers.ready('E')],
    }),
  )
  const copyOut = fc.array(value, { maxLength: 4 }).map(
    (lines): Exchange => ({
      asked: [says.query('copy t to stdout')],
      answered: [
        answers.copyOut(0, 2),
        ...lines.map((line) => answers.copyData(`1\t${line}\n`)),
        answers.copyDone(),
        done,
        ready,
      ],
    }),
  )
  const exchanges = fc.array(fc.oneof(simple, extended, failed, copyOut), { maxLength: 6 })
  const talk = fc.tuple(exchanges, fc.boolean()).map(([all, pipelined]): Talk => {
    const asks = all.map(({ asked }): Talk[number] => ['client', Buffer.concat(asked)])
    const replies = all.map(({ answered }): Talk[number] => ['server', Buffer.concat(answered)])
    return pipelined ? [...asks, ...replies] : asks.flatMap((ask, index) => [ask, ...replies.slice(index, index + 1)])
  })
  // COPY FROM waits for the server between its lines, so it is a talk of its own, before and after which all else may stand.
  const copyIn = fc.tuple(fc.array(value, { maxLength: 4 }), fc.boolean()).map(
    ([lines, fails]): Talk => [
      ['client', says.query('copy t from stdin')],
      ['server', answers.copyIn()],
      [
        'client',
        Buffer.concat([...lines.map((line) => says.copyData(`1\t${line}\n`)), fails ? says.copyFail('no') : says.copyDone()]),
      ],
      ['server', Buffer.concat([fails ? answers.error('COPY from stdin failed') : answers.done('COPY 1'), ready])],
    ],
  )
  return fc.tuple(talk, fc.option(copyIn, { nil: [] }), talk).map(([before, copy, after]) => [...before, ...copy, ...after])
}
