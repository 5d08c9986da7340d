import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SshDescriber } from '../../../../gateway/protocols/ssh/describe.ts'
import type { Told } from '../../../../recorder/catalog/describe.ts'
import type { Frame } from '../../../../schemas/frame.ts'

function told(parts: Partial<Frame>): readonly Told[] {
  const frame: Frame = {
    seq: 0,
    atUs: 0,
    dir: 'in',
    channel: 1,
    kind: '',
    facts: {},
    body: null,
    masks: null,
    verdict: null,
    ...parts,
  }
  return new SshDescriber().read(frame)
}

test('an operation on a file is a statement, answered when it is over: what is opened by its close', () => {
  const facts = { operations: ['read'], path: '/a', statement: 7 }
  const [statement] = told({ kind: 'file', facts })
  assert.ok(statement?.told === 'statement')
  assert.deepEqual([statement.text, statement.objects, statement.verbs], ['read /a', ['/a'], ['read']])
  const { answer } = statement
  const reply = (more: Frame['facts']): readonly Told[] =>
    told({ dir: 'out', kind: 'file-reply', facts: { statement: 7, ...more } })
  assert.deepEqual(reply({ ...facts, status: 'ok' }), [{ told: 'answer', answer, rows: 0, end: null }])
  assert.deepEqual(reply({ ...facts, status: 'no such file' }), [{ told: 'answer', answer, rows: 0, end: 'error' }])
  assert.deepEqual(reply({ path: '/a', downloaded: 5, status: 'ok' }), [{ told: 'answer', answer, rows: 0, end: 'complete' }])
})

test('a line typed on a terminal and what is asked to be forwarded are statements; what was refused has no answer', () => {
  const [line] = told({ kind: 'line', body: Buffer.from('ls -la') })
  assert.ok(line?.told === 'statement' && line.text === 'ls -la')
  const [forward] = told({ kind: 'forward', facts: { direction: 'local', host: 'db', port: 5432 } })
  assert.ok(forward?.told === 'statement' && forward.text === 'forward local db:5432')
  const [refused] = told({
    kind: 'file',
    facts: { operations: ['remove'], path: '/a', statement: 1 },
    verdict: { act: 'block', rules: ['no'], policy: 'p' },
  })
  assert.ok(refused?.told === 'statement' && refused.answer === null)
})
