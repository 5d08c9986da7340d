import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { ServerChannel } from 'ssh2'
import { begun, startSshTalk } from '../../../support/ssh-talk.ts'

/** More than the windows on the way take. */
const SIZE = 4 * 1024 * 1024

/** What a client says who writes all of it, and closes. */
async function writes(channel: NodeJS.WritableStream & { close(): void }): Promise<void> {
  await new Promise((written) => channel.write(Buffer.alloc(SIZE, 'what is said '), written))
  channel.end()
  channel.close()
}

async function closes(channel: ServerChannel): Promise<void> {
  await once(channel, 'close', { signal: AbortSignal.timeout(30_000) })
}

test('a program that reads nothing for longer than a terminal may, and then goes on, has all that was said before its client closed', async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec()
  const program = await promise
  let got = 0
  await writes(client)
  await wait(1_500)
  program.on('data', (bytes: Buffer) => {
    got += bytes.length
  })
  await closes(program)
  assert.equal(got, SIZE)
  assert.deepEqual(talk.taped('undelivered'), [])
})

test('a terminal that takes nothing is hung up on soon, and the tape says how much did not go', async () => {
  const { promise, resolve } = Promise.withResolvers<ServerChannel>()
  await using talk = await startSshTalk((session) => void begun(session).then(resolve))
  const client = await talk.exec({ pty: true })
  const program = await promise
  await writes(client)
  for (const until = Date.now() + 10_000; talk.taped('undelivered').length === 0 && Date.now() < until; ) await wait(20)
  const recorded = talk.taped('terminal-input').reduce((size, { body }) => size + (body?.length ?? 0), 0)
  assert.deepEqual(
    talk.taped('undelivered').map(({ dir, facts }) => ({ dir, size: facts['size'] })),
    [{ dir: 'in', size: recorded - program.readableLength }],
  )
  program.resume()
  await closes(program)
})
