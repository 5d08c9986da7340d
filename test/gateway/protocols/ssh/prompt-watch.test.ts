import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PromptWatch } from '../../../../gateway/protocols/ssh/prompt-watch.ts'

function answersTo(...written: readonly string[]): boolean {
  const watch = new PromptWatch()
  for (const text of written) watch.wrote(Buffer.from(text))
  return watch.typed(Buffer.from('x'))
}

test('questions for secrets are recognised, however they come', () => {
  assert.ok(answersTo('[sudo] password for ada: '))
  assert.ok(answersTo("Enter passphrase for key '/root/.ssh/id': "))
  assert.ok(answersTo('\u001b[?2004lPass', 'word:\u001b[0m '))
  assert.ok(answersTo('Verification code: '))
})

test('output that speaks of passwords asks for none', () => {
  assert.ok(!answersTo('password changed\n$ '))
  assert.ok(!answersTo('$ grep password: file'))
  assert.ok(!answersTo('Password: ', 'wrong\r\n'))
})

test('the answer ends with its line', () => {
  const watch = new PromptWatch()
  watch.wrote(Buffer.from('Password: '))
  assert.ok(watch.typed(Buffer.from('sec')))
  assert.ok(watch.typed(Buffer.from('ret\r')))
  assert.ok(!watch.typed(Buffer.from('ls\r')))
})
