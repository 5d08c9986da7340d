import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Question } from '../../../replay-ui/elements/question.ts'

function asked(): { readonly question: Question; readonly drawn: string[] } {
  const drawn: string[] = []
  const question: Question = new Question({
    addController: () => undefined,
    removeController: () => undefined,
    requestUpdate: () => void drawn.push(question.state),
    updateComplete: Promise.resolve(true),
  })
  return { question, drawn }
}

test('a question is loading, then here or failed in the words of the server, and the page is drawn with each', async () => {
  const { question, drawn } = asked()
  await question.ask(async () => undefined)
  await question.ask(() => Promise.reject(new Error('the catalog is being started')))
  assert.equal(question.problem, 'the catalog is being started')
  assert.deepEqual(drawn, ['loading', 'here', 'loading', 'failed'])
})

test('the latest counts: what was asked before is given up, and everything with the page', async () => {
  const { question } = asked()
  const gone: string[] = []
  const never = (name: string) => (signal: AbortSignal) =>
    new Promise<void>((_, reject) =>
      signal.addEventListener('abort', () => {
        gone.push(name)
        reject(signal.reason)
      }),
    )
  const first = question.ask(never('first'))
  const second = question.ask(never('second'))
  await first
  assert.deepEqual([question.state, gone], ['loading', ['first']])
  question.hostDisconnected()
  await second
  assert.deepEqual([question.state, gone], ['loading', ['first', 'second']])
})
