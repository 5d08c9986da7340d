import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Candidate } from '../../../gateway/masking/candidate.ts'

test('a name is judged anew when other bytes stand where the last one stood', () => {
  const candidate = new Candidate()
  const bytes = Buffer.alloc(32)
  const isSecret = (name: string, wordEnd: number): boolean => {
    bytes.fill(0)
    bytes.write(`${name}=value`)
    candidate.set(bytes, 0, name.length, name.length + 1, name.length + 6)
    candidate.wordEnd = wordEnd
    return candidate.hasSecretName('pass')
  }
  assert.equal(isSecret('db_pass_xy', 7), true)
  assert.equal(isSecret('db_pass_xy', 7), true)
  assert.equal(isSecret('is_pass_id', 7), false)
  assert.equal(isSecret('db_pass_id', 7), false)
  assert.equal(isSecret('db_pass_xy', 7), true)
  assert.equal(candidate.name, 'db_pass_xy')
  assert.equal(candidate.value, 'value')
})
