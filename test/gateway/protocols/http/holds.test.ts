import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { placesIn } from '../../../../gateway/places.ts'
import { openFolderDesk } from '../../../../recorder/desk/desk-folder.ts'
import { httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const GRACE = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`

async function pendingOf(desk: ReturnType<typeof openFolderDesk>): Promise<string> {
  for (;;) {
    const open = (await desk.list()).find(({ state }) => state === 'pending')
    if (open !== undefined) return open.id
    await wait(20)
  }
}

test('a held request goes on as it was once somebody approved it, and only then', async () => {
  let asked = 0
  await using gateway = await httpGateway(async (request, response) => {
    asked++
    response.end(`paid ${await text(request)}`)
  })
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const asking = fetch(`${gateway.url}/payments/7`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${gateway.keys.agent}`,
      cookie: 'sid=kept',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: 'amount=5&nickname=bo',
  })
  const id = await pendingOf(desk)
  assert.equal(asked, 0)
  const { command } = await desk.get(id)
  assert.match(command, /^POST \/payments\/7 [\s\S]*amount=5&nickname=\[MASKED:nickname:/)
  assert.ok(!command.includes('sid=kept'), 'what the tape hides, the desk hides')
  await desk.decide(id, { act: 'approve' }, GRACE)
  const response = await asking
  assert.deepEqual([response.status, await response.text()], [200, 'paid amount=5&nickname=bo'])
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? '')
  assert.deepEqual(
    frames.map(({ kind, verdict }) => [kind, verdict?.act]),
    [
      ['request', 'hold'],
      ['approval', 'hold'],
      ['request', 'allow'],
      ['response', undefined],
    ],
  )
})

test('who decides about the middle of an answer reads what was asked, as the tape has it', async () => {
  const policy = `
version: 1
rules:
  - { id: much, on: http, threshold: { bytes: 2MiB, per: statement }, action: hold, reason: a lot, approval: { groups: [deciders], timeout: 20s } }
`
  await using gateway = await httpGateway(
    (_, response) => response.setHeader('content-type', 'text/plain').end(Buffer.alloc(4 * 1024 * 1024, 'x y ')),
    { policy },
  )
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const asking = fetch(`${gateway.url}/logs?of=${encodeURIComponent(MAIL)}`, {
    headers: { authorization: `Bearer ${gateway.keys.agent}` },
  })
  const id = await pendingOf(desk)
  assert.match((await desk.get(id)).command, /^GET \/logs\?of=\[MASKED:email:[0-9a-f]{12}\]$/)
  await desk.decide(id, { act: 'approve' }, GRACE)
  assert.equal((await (await asking).text()).length, 4 * 1024 * 1024)
})
