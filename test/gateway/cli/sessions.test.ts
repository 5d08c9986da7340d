import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sessions } from '../../../gateway/cli/sessions.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

test('sessions lists the newest first, with what their seals say', async () => {
  await using folder = await recordingFolder()
  const first = await recorded(folder)
  const room = await folder.room({ gateway: 'gw2' })
  const { info, recorder } = await room.open({ ...START, identity: { ...START.identity, subject: '\u001b[31magent-8' } })
  // A block closes its chunk at once: what a tape without a seal can be asked.
  const verdict = { act: 'block', rules: ['r'], policy: 'abababababab' } as const
  await recorder.append([entry({ dir: 'out', kind: 'reply', facts: { rows: 3 } }), entry({ verdict })])
  const cli = terminal(folder)
  assert.equal(await sessions({}, cli), 0)
  const [head, ...rows] = cli.text().trimEnd().split('\n')
  assert.match(head ?? '', /^SESSION +WHO +TARGET +STATE/)
  assert.match(rows[0] ?? '', new RegExp(`^${info.id} +\\\\x1b\\[31magent-8 +shop +open +2 +3 +- `))
  assert.match(rows[1] ?? '', new RegExp(`^${first} +agent-7 +shop +sealed +5 `))
  const json = terminal(folder)
  await sessions({ json: true }, json)
  assert.deepEqual(
    JSON.parse(json.text()).map(({ id, state }: { id: string; state: string }) => [id, state]),
    [
      [info.id, 'open'],
      [first, 'sealed'],
    ],
  )
})

test('where nothing is recorded the list is empty', async () => {
  await using folder = await recordingFolder()
  await recorded(folder)
  await rm(join(folder.path, 'tapes'), { recursive: true })
  const cli = terminal(folder)
  assert.equal(await sessions({ json: true }, cli), 0)
  assert.deepEqual(JSON.parse(cli.text()), [])
})

test('sessions of one run are found across gateways: by what a proof says, else by what the client says', async () => {
  await using folder = await recordingFolder()
  await recorded(folder)
  const open = async (gateway: string, more: Partial<typeof START>): Promise<string> => {
    const room = await folder.room({ gateway })
    const { info, recorder } = await room.open({ ...START, ...more })
    await recorder.seal('client.left')
    return info.id
  }
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const proved = await open('gw2', { identity: { ...START.identity, about: { run: 'r-1' } }, claims: { run: 'r-other' } })
  const said = await open('gw3', { claims: { run: 'r-1', trace } })
  await open('gw4', { claims: { run: 'r-2' } })
  const found = async (options: { readonly run?: string; readonly trace?: string }): Promise<string[]> => {
    const cli = terminal(folder)
    await sessions({ json: true, ...options }, cli)
    return JSON.parse(cli.text()).map(({ id }: { id: string }) => id)
  }
  assert.deepEqual((await found({ run: 'r-1' })).sort(), [proved, said].sort())
  assert.deepEqual(await found({ trace }), [said])
  assert.deepEqual(await found({ run: 'r-other' }), [])
})
