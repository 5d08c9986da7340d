import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../../../replay-ui/data/api.ts'
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

test('what the server refused as wrong is not asked again; what it could not do now is', async () => {
  const { question } = asked()
  const again = async (status: number): Promise<boolean> => {
    await question.ask(() => Promise.reject(new ApiError('unreachable', status, 'x')))
    return question.again
  }
  for (const status of [400, 403, 404, 409]) assert.equal(await again(status), false, String(status))
  for (const status of [0, 429, 500, 503]) assert.equal(await again(status), true, String(status))
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
