import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchApprovals } from '../../../gateway/cli/approvals.ts'
import { placesIn } from '../../../gateway/places.ts'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import { ask } from '../../recorder/desk/contract.ts'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

const asked = { requester: 'agent-7', principal: 'ada', approvers: { groups: ['deciders'], count: 1 }, ttlMs: 3_600_000 }

async function desk() {
  const gateway = await echoGateway()
  const opened = openFolderDesk(placesIn(gateway.dataDir).approvals)
  return {
    desk: opened,
    keys: gateway.keys,
    run: (args: readonly string[], env: NodeJS.ProcessEnv = {}) => runCli(['approvals', ...args], { cwd: gateway.folder, env }),
    folder: gateway.folder,
    config: gateway.config,
    [Symbol.asyncDispose]: async () => {
      opened[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

test('an approver proves themselves with their own key, and the request is decided under that name', async () => {
  await using made = await desk()
  const { id } = await made.desk.request(ask(asked))
  const approved = await made.run(['approve', id, '--reason', 'known'], { SALLYPORT_KEY: made.keys.approver })
  assert.equal(approved.code, 0)
  assert.match(approved.err, new RegExp(`^${id} is approved, decided by grace`))
  const { state, decisions } = await made.desk.get(id)
  assert.equal(state, 'approved')
  assert.deepEqual(
    decisions.map(({ by, proof, reason }) => [by, proof, reason]),
    [['grace', 'key:grace', 'known']],
  )
})

test('a key in a file does as well; no key, a bad key or one of the wrong group does not', async () => {
  await using made = await desk()
  const { id } = await made.desk.request(ask(asked))
  const none = await made.run(['approve', id, '--json'])
  assert.equal(none.code, 1)
  assert.equal(JSON.parse(none.err).error.code, 'AUTH_REQUIRED')
  assert.match((await made.run(['approve', id], { SALLYPORT_KEY: 'sp_wrong' })).err, /AUTH_DENIED/)
  assert.match((await made.run(['approve', id], { SALLYPORT_KEY: made.keys.outsider })).err, /APPROVAL_FORBIDDEN/)
  assert.match((await made.run(['approve', id], { SALLYPORT_KEY: made.keys.agent })).err, /APPROVAL_FORBIDDEN/)
  assert.equal((await made.desk.get(id)).state, 'pending')
  await writeFile(join(made.folder, 'key'), `${made.keys.approver}\n`)
  assert.equal((await made.run(['reject', id, '--reason', 'not today', '--key-file', 'key'])).code, 0)
  assert.equal((await made.desk.get(id)).state, 'rejected')
})

test('rejecting without a reason is wrong usage', async () => {
  await using made = await desk()
  const { id } = await made.desk.request(ask(asked))
  assert.equal((await made.run(['reject', id], { SALLYPORT_KEY: made.keys.approver })).code, 2)
})

test('a command is shown whole, and cannot act on the terminal that shows it', async () => {
  await using made = await desk()
  const command = `DELETE FROM orders;\u001b[1A\u001b[2K -- \u202e harmless\n${'x'.repeat(5_000)} END`
  const { id } = await made.desk.request(ask({ ...asked, command }))
  const { out } = await made.run(['show', id])
  assert.equal(/[\u001b\u202e]/.test(out), false)
  assert.match(out, /DELETE FROM orders;\\x1b\[1A\\x1b\[2K -- \\u\{202e\} harmless/)
  assert.match(out, /x{5000} END/)
  assert.match(out, /agent-7 \(agent, for ada\)/)
  assert.ok(out.indexOf(' END') < out.indexOf('what the policy saw in it:'), 'what is asked stands before what was made of it')
  assert.equal(JSON.parse((await made.run(['show', id, '--json'])).out).command, command)
  const listed = await made.run(['list'])
  assert.match(listed.out, /\(\d+ more characters\)/)
  assert.equal(/[\u001b\u202e]/.test(listed.out), false)
})

test('lists show what is open, or what is asked for', async () => {
  await using made = await desk()
  const one = await made.desk.request(ask(asked))
  const two = await made.desk.request(ask({ ...asked, binding: 'b'.repeat(64) }))
  await made.desk.withdraw(two.id)
  const ids = async (...args: string[]) =>
    (JSON.parse((await made.run(['list', '--json', ...args])).out) as { id: string }[]).map(({ id }) => id)
  assert.deepEqual(await ids(), [one.id])
  assert.deepEqual(await ids('--state', 'withdrawn'), [two.id])
  assert.equal((await ids('--all')).length, 2)
  assert.equal((await made.run(['list', '--state', 'nonsense'])).code, 2)
})

test('watching prints each request as it comes, as JSON lines', async () => {
  await using made = await desk()
  const stop = new AbortController()
  const lines: string[] = []
  const { id } = await made.desk.request(ask(asked))
  const seen = Promise.withResolvers<void>()
  const cli = {
    env: {},
    cwd: made.folder,
    err: () => undefined,
    out: (text: string) => {
      lines.push(text)
      if (lines.length === 2) seen.resolve()
    },
  }
  const watching = watchApprovals({ config: made.config, json: true }, cli, stop.signal)
  await made.run(['approve', id], { SALLYPORT_KEY: made.keys.approver })
  // Both states may be seen, or only the last where the first was over before it could be.
  if ((await made.desk.get(id)).state === 'approved' && lines.length < 2) {
    await made.desk.request(ask({ ...asked, binding: 'c'.repeat(64) }))
  }
  await seen.promise
  stop.abort()
  assert.equal(await watching, 0)
  assert.ok(lines.map((line) => JSON.parse(line)).some((approval) => approval.id === id))
})

test('an id nobody knows ends with 1', async () => {
  await using made = await desk()
  assert.match((await made.run(['show', 'A-00000000'])).err, /APPROVAL_UNKNOWN/)
})

test('show tells what was decided about the like before', async () => {
  await using made = await desk()
  const facts = { fingerprint: 'f' }
  const first = await made.desk.request(ask({ ...asked, facts }))
  assert.equal(
    (await made.run(['reject', first.id, '--reason', 'use the \u202ejob'], { SALLYPORT_KEY: made.keys.approver })).code,
    0,
  )
  const second = await made.desk.request(ask({ ...asked, facts }))
  const { out } = await made.run(['show', second.id])
  assert.match(
    out,
    new RegExp(
      `decided before, about the like:\\n +${first.id} rejected, the same text, agent-7; reject by grace: use the \\\\u\\{202e\\}job`,
    ),
  )
})

test('broken glass needs the permission, and is listed until it is reviewed', async () => {
  await using made = await desk()
  const { id } = await made.desk.request(ask(asked))
  const key = { SALLYPORT_KEY: made.keys.approver }
  assert.match((await made.run(['break-glass', id, '--reason', 'fire'], key)).err, /may not break the glass/)
  const cleo = { subject: 'cleo', kind: 'human', groups: [], mayBreakGlass: true } as const
  await made.desk.decide(id, { act: 'break-glass', reason: 'fire' }, cleo)
  assert.match((await made.run(['list', '--unreviewed'])).out, new RegExp(id))
  assert.equal((await made.run(['review', id, '--note', 'it was a fire'], key)).code, 0)
  assert.match((await made.run(['list', '--unreviewed'])).err, /nothing is waiting/)
  assert.match((await made.run(['show', id])).out, /break-glass +cleo at .*: fire[\s\S]*review +grace at .*: it was a fire/)
})
