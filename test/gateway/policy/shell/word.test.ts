import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { loadShell, shellFacts } from '../../../../gateway/policy/shell/facts.ts'
import { literalOf, readWords, showWords, textWord, type Word } from '../../../../gateway/policy/shell/word.ts'

before(loadShell)

/** No control characters: a text with such is refused as a whole. */
const text = fc.string({ unit: fc.constantFrom(...'ab /~*?[]{},$`"\'\\!#|&;()<>=:\t\n-é€', '\u{1f600}'), maxLength: 12 })

test('any text that is quoted comes back through the parser as it was, and so does its spelling', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
      const words = [textWord('p1'), ...texts.map(textWord)]
      const line = showWords(words)
      assert.deepEqual(readWords(line).map(literalOf), ['p1', ...texts])
      assert.deepEqual(
        shellFacts(line).commands?.map((command) => readWords(command).map(literalOf)),
        [['p1', ...texts]],
        line,
      )
    }),
  )
})

test('words with patterns and unknown parts come back from their spelling', () => {
  const piece = fc.oneof(
    text.filter((one) => one !== '').map((one) => ({ kind: 'text', text: one }) as const),
    fc.constantFrom(
      { kind: 'glob', text: '*' } as const,
      { kind: 'glob', text: '[a-z]' } as const,
      { kind: 'any', source: '$x', many: false } as const,
      { kind: 'any', source: '$()', many: true } as const,
      { kind: 'home' } as const,
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.array(piece, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }), (words) => {
      const line = showWords(words as Word[])
      assert.equal(showWords(readWords(line)), showWords(readWords(showWords(readWords(line)))))
      assert.equal(readWords(line).length, words.length)
    }),
  )
})

test('any text gives facts, in bounded time, and never throws', () => {
  const shell = fc.string({
    unit: fc.constantFrom(
      ...'ab $(){}[]<>|&;\'"`\\\n=*?!#~',
      '$(',
      '${',
      '<<E',
      '\nE\n',
      '((',
      '[[',
      'if ',
      'for ',
      'case ',
      ' in ',
      'do ',
      'done',
    ),
    maxLength: 400,
  })
  fc.assert(
    fc.property(shell, (one) => {
      const before = process.cpuUsage()
      const facts = shellFacts(one)
      const { user } = process.cpuUsage(before)
      assert.equal(typeof facts.analysable, 'boolean')
      assert.ok(user < 2_000_000, `${user} us for ${JSON.stringify(one)}`)
    }),
    { numRuns: 200 },
  )
})
