import assert from 'node:assert/strict'
import { test } from 'node:test'
import { samePerson } from '../../schemas/session.ts'

test('a person is one in small letters and in capitals, composed or not, with blanks at an end', () => {
  const alike = [
    ['ana@example.org', ' ANA@Example.org '],
    ['josé', 'JOSE\u0301'],
    ['strauß@example.org', 'STRAUSS@EXAMPLE.ORG', 'STRAUẞ@example.org'],
    ['νικος', 'νικοσ', 'ΝΙΚΟΣ'],
    ['ılker', 'ILKER', 'ilker'],
    ['\ufb01nn', 'FINN'],
  ]
  for (const names of alike) assert.equal(new Set(names.map(samePerson)).size, 1, `${names.join(' ')}: ${names.map(samePerson)}`)
  assert.notEqual(samePerson('ana@example.org'), samePerson('ana.second@example.org'))
})

test('who somebody is does not change by asking twice, whatever the letters', () => {
  const odd: string[] = []
  for (let code = 0; code < 0x2000; code += 1) {
    const letter = String.fromCodePoint(code)
    // A mark that NFKC puts behind others when it becomes the letter it is in capitals.
    if (code === 0x345) continue
    const name = `a${letter}b`
    const person = samePerson(name)
    if ([person, name.toLowerCase(), name.toUpperCase(), name.normalize('NFD')].some((each) => samePerson(each) !== person))
      odd.push(code.toString(16))
  }
  assert.deepEqual(odd, [])
})
