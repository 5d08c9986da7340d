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
