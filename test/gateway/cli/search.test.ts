import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '../../../gateway/cli/program.ts'
import { apiRig, keyOf } from '../../support/api.ts'
import { recorded, terminal } from '../../support/recorded-session.ts'

test('the running console is searched as whoever shows a key, by one language, and it is noted', async (t) => {
  await using rig = await apiRig()
  const id = await recorded(rig.folder, rig.room)
  await rig.catalog.settle()
  const say = async (key: string | undefined, ...args: string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const cli = { ...terminal(rig.folder), ...(key === undefined ? {} : { env: { SALLYPORT_KEY: key } }) }
    const code = await run(['search', ...args, '--url', `http://127.0.0.1:${rig.server.port}`], cli)
    return { code, text: cli.text() }
  }
  const ivan = keyOf('ivan')
  await t.test('hits are told with their place, and as JSON', async () => {
    const { code, text } = await say(ivan, 'DROP', 'TABLE', '--facets')
    assert.equal(code, 0, text)
    assert.match(
      text,
      new RegExp(`agent-7 for ada  shop  statement  0 rows, 0 bytes, block, refused\\n  ${id}#frame=2\\n    DROP TABLE orders`),
    )
    assert.match(text, /of 1 hits:\n {2}identity {2}agent-7 1\n/)
    const found = JSON.parse((await say(ivan, 'verdict:block', '--json')).text)
    assert.deepEqual([found.hits.length, found.hits[0].frame, found.next], [1, 2, null])
    assert.match((await say(ivan, 'nobody wrote this')).text, /nothing found/)
    assert.deepEqual(
      rig.notes.filter(({ type }) => type === 'evidence.search').map(({ actor, found: hits }) => [actor, hits]),
      [
        ['ivan', 1],
        ['ivan', 1],
        ['ivan', 0],
      ],
    )
  })
  await t.test('what happened in a session is told in a few sentences, the same each time', async () => {
    const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
    const url = ['--url', `http://127.0.0.1:${rig.server.port}`]
    assert.equal(await run(['sessions', 'show', id, ...url], cli), 0, cli.text())
    assert.equal(
      cli.text(),
      `session ${id}
agent-7, for ada, was at shop (postgres) from 127.0.0.1:40000, and gave 2 commands.
Nothing that has a name was touched.
0 rows and 9 bytes left; nothing was masked.
Refused: “DROP TABLE orders” by no-drop.
It ended: the client left.
`.replace('9 bytes', /\d+ bytes/.exec(cli.text())?.[0] ?? ''),
    )
    const again = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
    assert.equal(await run(['sessions', 'show', id, '--json', ...url], again), 0)
    assert.equal(JSON.parse(again.text()).narrative.length, 5)
  })
  await t.test('a model’s summary is asked for by name, and marked line by line as no evidence', async () => {
    const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
    assert.equal(await run(['sessions', 'show', id, '--llm', '--url', `http://127.0.0.1:${rig.server.port}`], cli), 0, cli.text())
    assert.match(
      cli.text(),
      /It ended: the client left\.\n-- written by a model, not evidence: small at models\.test\n {3}it was sent \d+ bytes of masked text \(2 of 2 commands\), SHA-256 [0-9a-f]{64}\n {3}\| Nothing out of the ordinary\.\n-- end of what the model wrote\n$/,
    )
  })
  await t.test('the configuration names the console', async () => {
    const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
    const config = join(rig.folder.path, 'sallyport.yaml')
    await writeFile(
      config,
      `gateway: gw1
dataDir: .
policy: policy.yaml
listeners: { postgres: { address: '127.0.0.1:0' } }
console: { address: '127.0.0.1:${rig.server.port}', roles: { viewer: [agents] } }
targets: [{ name: shop, protocol: postgres, host: 127.0.0.1, port: 5432, groups: [agents], credential: { user: u, password: { env: NONE } } }]
`,
    )
    assert.equal(await run(['search', 'DROP', '--config', config], cli), 0, cli.text())
    // The console is asked of a whole id, also of one of several processes; of a part our own store knows the whole.
    for (const [named, says] of [
      ['20261130T000000Z-gw-1-2-00000009', /API_UNKNOWN: there is no such session/],
      ['09999', /STORE_MISSING: there is no session "09999"/],
    ] as const) {
      const shown = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
      assert.equal(await run(['sessions', 'show', named, '--config', config], shown), 1)
      assert.match(shown.text(), says)
    }
  })
  await t.test('nobody, a stranger, another target and no console are told so', async () => {
    assert.match((await say(undefined, 'DROP')).text, /AUTH_REQUIRED/)
    assert.match((await say('key-mallory', 'DROP')).text, /AUTH_DENIED/)
    assert.match((await say(keyOf('otto'), 'DROP')).text, /nothing found/)
    assert.match((await say(ivan, 'colour:red')).text, /API_INVALID: colour: is not known here/)
    const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: ivan } }
    assert.equal(await run(['search', 'x', '--url', 'http://127.0.0.1:1'], cli), 1)
    assert.match(cli.text(), /API_FAILED: no console answers/)
  })
})
