import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fields } from '../../../../gateway/protocols/http/fields.ts'
import { redactJson } from '../../../../gateway/protocols/http/json-body.ts'
import { testMasker } from '../../../support/fakes.ts'

const NICK = { label: 'pii.nick', entity: 'nick', form: 'tag' } as const
const MAIL_LABEL = { label: 'pii.mail', entity: 'mail', form: 'tag' } as const
const labels = {
  empty: false,
  exempts: () => false,
  asked: false,
  touches: () => false,
  placedIn: () => undefined,
  within: () => [],
  labelFor: () => undefined,
  labelForName: (name: string) => (name === 'nickname' ? NICK : name === 'mail' ? MAIL_LABEL : undefined),
}

function redact(text: string): string {
  const source = Buffer.from(text)
  const masker = testMasker()
  const sink = masker.sink(source.length)
  assert.ok(redactJson(masker, sink, [source, 0, source.length], { fields: new Fields(labels) }))
  return Buffer.from(sink.finish().bytes)
    .toString()
    .replaceAll(/:[0-9a-f]{12}\]/g, ']')
}

test('what stands in objects and lists below a labelled key has its label, or one of its own', () => {
  const text = JSON.stringify({
    nickname: { first: 'bo', more: [{ last: 'x', id: 7, mail: 'm' }, 'y'] },
    id: 7,
    list: [{ nickname: [[{ first: 'bo' }]] }, { first: 'free' }],
  })
  const nick = '[MASKED:nick]'
  const expected = {
    nickname: { first: nick, more: [{ last: nick, id: nick, mail: '[MASKED:mail]' }, nick] },
    id: 7,
    list: [{ nickname: [[{ first: nick }]] }, { first: 'free' }],
  }
  assert.deepEqual(JSON.parse(redact(text)), expected)
  const rows = `[${Array.from({ length: 100 }, () => text).join()}]`
  assert.deepEqual(
    JSON.parse(redact(rows)),
    Array.from({ length: 100 }, () => expected),
    'in every row',
  )
})
