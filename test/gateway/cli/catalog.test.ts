import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '../../../gateway/cli/program.ts'
import { readLines } from '../../../recorder/index.ts'
import { apiRig, keyOf, type Name } from '../../support/api.ts'
import { openTestLedger } from '../../support/ledger.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'

test('the catalog is rebuilt by an admin and compared with ledger and tapes, and both are noted', async (t) => {
  await using rig = await apiRig()
  const id = await recorded(rig.folder, rig.room)
  await rig.catalog.settle()
  const say = async (who: Name, ...args: string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: keyOf(who) } }
    const code = await run([...args, '--url', `http://127.0.0.1:${rig.server.port}`], cli)
    return { code, text: cli.text() }
  }
  await t.test('rebuilt, with how far it is', async () => {
    assert.match((await say('ivan', 'catalog', 'rebuild')).text, /API_FORBIDDEN/)
    const { code, text } = await say('ann', 'catalog', 'rebuild', '--json')
    assert.equal(code, 0, text)
    assert.equal(JSON.parse(text.slice(text.indexOf('{'))).sessions, 1)
    assert.deepEqual(
      rig.notes.filter(({ type }) => type === 'catalog.rebuild').map(({ actor, purpose }) => [actor, purpose]),
      [['ann', 'command line']],
    )
    assert.match((await say('audrey', 'catalog', 'status')).text, /^1 sessions, up to date$/m)
  })
  await t.test('compared', async () => {
    const { code, text } = await say('audrey', 'reconcile')
    assert.equal(code, 0, text)
    assert.match(text, /^ledger {3}1 sessions opened\nstore {4}1 tapes: 1 ended; .*\ncatalog {2}1 sessions$/m)
    assert.match((await say('ivan', 'reconcile')).text, /API_FORBIDDEN/)
  })
  await t.test('a tape that is gone is missed, with and without the catalog', async () => {
    await rm(join(rig.folder.path, 'tapes', id), { recursive: true })
    const { code, text } = await say('audrey', 'reconcile')
    assert.equal(code, 20)
    assert.match(text, new RegExp(`^1 MISSING: opened, and there is no tape\\n  ${id}$`, 'm'))
    assert.match(text, new RegExp(`^1 in the catalog, without a tape: .*\\n  ${id}$`, 'm'))
    const cli = terminal(rig.folder)
    assert.equal(await run(['reconcile', '--no-catalog', '--json'], cli), 20)
    const { missing, rows, noted } = JSON.parse(cli.text())
    assert.deepEqual([missing, rows, noted], [[id], null, true])
    const notes: unknown[] = []
    for await (const { entry } of readLines(rig.folder.store))
      if (entry?.statement.type === 'reconcile') notes.push(entry.statement['missing'])
    assert.deepEqual(notes, [[], [id], [id]])
  })
  await t.test('a tape that its store has yet to remove is shown, and not as too much', async () => {
    const released = await recorded(rig.folder, rig.room)
    const ledger = await openTestLedger(rig.folder.store, { ...rig.folder.signer, gateway: 'gw1-cli' })
    const by = { actor: 'grace', proof: 'key:k1', rule: 'after-90-days' } as const
    await ledger.append({ type: 'retention.delete', ...by, session: released, objects: 2 })
    await ledger.close()
    const cli = terminal(rig.folder)
    await run(['reconcile', '--no-catalog'], cli)
    assert.match(cli.text(), new RegExp(`^1 deleted under a rule, and still there: .*\\n  ${released}$`, 'm'))
    assert.doesNotMatch(cli.text(), /EXTRA/)
  })
})
