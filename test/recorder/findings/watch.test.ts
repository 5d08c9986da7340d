import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { run } from '../../../gateway/cli/program.ts'
import { apiRig, keyOf } from '../../support/api.ts'
import { answers } from '../../support/pg-words.ts'
import { terminal } from '../../support/recorded-session.ts'
import { entry, START } from '../../support/recording.ts'

test('several small sessions are found together, judged, and explained to the same number', async (t) => {
  await using rig = await apiRig({ findings: { tables: [{ target: 'shop', table: 'customers', rows: 2_000, sensitive: true }] } })
  const sessions: string[] = []
  for (let part = 0; part < 4; part += 1) {
    const { info, recorder } = await rig.room.open(START)
    sessions.push(info.id)
    const rows = Array.from({ length: 300 }, (_, at) => answers.row(String(part * 200 + at), '[MASKED:email:aa]'))
    await recorder.append([
      entry({
        kind: 'query',
        body: serialize.query(`SELECT id, email FROM customers WHERE id >= ${part * 200} LIMIT 300`),
        facts: { relations: ['customers'], verbs: ['SELECT'], fingerprint: 'f00d' },
      }),
      entry({
        dir: 'out',
        kind: 'reply',
        facts: { statement: 1, rows: 300, tag: 'SELECT 300', status: 'I' },
        body: Buffer.concat([answers.columns({ name: 'id' }, { name: 'email' }), ...rows]),
      }),
    ])
    await recorder.seal('client.left')
  }
  await rig.catalog.settle()
  await rig.catalog.scan()
  const ivan = await rig.as('ivan')
  const { findings } = (await ivan.ask('/findings')).json
  const [finding] = findings.filter(({ detector }: { detector: string }) => detector === 'stitched-keys')
  await t.test('by how many different rows left, which is not how many rows left', async () => {
    assert.match(
      finding.summary,
      /^900 different rows of customers, 45.0 % of its 2,000, in 4 sessions of at most 300 rows each \(1,200 rows in all\)$/,
    )
    const { coverage, contributions, state } = (await ivan.ask(`/findings/${finding.id}`)).json
    assert.deepEqual([coverage.keys, coverage.keyed, coverage.of, state], [900, 'id', 2_000, 'open'])
    assert.deepEqual(
      contributions.map(({ session, frame, lastFrame }: { session: string; frame: number; lastFrame: number }) => [
        session,
        frame,
        lastFrame,
      ]),
      sessions.map((session) => [session, 0, 1]),
    )
    assert.deepEqual((await ivan.ask(`/findings?session=${sessions[0]}&detector=stitched-keys`)).json.findings, [finding])
  })
  await t.test('who took the most of a table is one question', async () => {
    const { pulls } = (await ivan.ask('/pulls?table=cust*&target=shop&since=2020-01-01T00:00:00Z')).json
    const { bytes, ...total } = pulls[0]
    assert.ok(bytes > 1_200 * 20)
    assert.deepEqual(total, {
      ...{ family: 'ada', target: 'shop', object: 'customers', rows: 1_200, keys: 900 },
      ...{ masked: 0, statements: 4, sessions: 4, largest: 300 },
    })
    assert.deepEqual((await (await rig.as('otto')).ask('/pulls')).json.pulls, [])
  })
  await t.test('the ledger is told once, before anybody is', async () => {
    const told = (): unknown[] => rig.notes.filter(({ type, finding: id }) => type === 'finding' && id === finding.id)
    assert.equal(told().length, 1)
    await rig.catalog.scan()
    assert.equal(told().length, 1)
  })
  await t.test('people judge it, in the ledger first; an auditor and a stranger do not', async () => {
    const body = { state: 'benign', reason: 'the yearly export' }
    const judged = await ivan.ask(`/findings/${finding.id}/disposition`, { body })
    assert.deepEqual([judged.status, judged.json.state, judged.json.dispositions.length], [200, 'benign', 1])
    const [note] = rig.notes.filter(({ type }) => type === 'finding.dispose')
    assert.deepEqual([note?.['actor'], note?.['finding'], note?.['state']], ['ivan', finding.id, 'benign'])
    assert.equal((await (await rig.as('audrey')).ask(`/findings/${finding.id}/disposition`, { body })).status, 403)
    for (const path of ['', '/explain'])
      assert.equal((await (await rig.as('otto')).ask(`/findings/${finding.id}${path}`)).status, 404)
    assert.equal((await (await rig.as('vera')).ask('/findings')).status, 403)
    assert.equal((await ivan.ask('/findings/..%2f')).status, 404)
    assert.deepEqual((await ivan.ask('/findings?state=open&detector=stitched-keys')).json.findings, [])
  })
  await t.test('the command line lists, explains and judges', async () => {
    const say = async (...args: string[]): Promise<string> => {
      const cli = { ...terminal(rig.folder), env: { SALLYPORT_KEY: keyOf('ivan') } }
      assert.equal(await run(['findings', ...args, '--url', `http://127.0.0.1:${rig.server.port}`], cli), 0, cli.text())
      return cli.text()
    }
    const listed = { ...terminal(rig.folder), env: { SALLYPORT_KEY: keyOf('ivan') } }
    const pulls = ['pulls', '--table', 'customers', '--since', '7d', '--url', `http://127.0.0.1:${rig.server.port}`]
    assert.equal(await run(pulls, listed), 0, listed.text())
    assert.match(listed.text(), /^ada +shop +customers +1200 +900 +\d+ +0 +4 +4 +300$/m)
    assert.match(await say('list'), new RegExp(`${finding.id} +high +benign +S2 stitched-keys +ada +shop`))
    const text = await say('explain', finding.id)
    assert.match(text, /again {6}the detector gives the same, to the last number/)
    for (const session of sessions) assert.ok(text.includes(`${session}#frame=0  to 1`), session)
    assert.match(text, /0.3 {2}the table is marked sensitive/)
    assert.match(await say('dispose', finding.id, '--state', 'open', '--reason', 'not so fast'), /is open/)
  })
  await t.test('a rebuild finds the same, and what people said of it is kept', async () => {
    const before = (await ivan.ask(`/findings/${finding.id}`)).json
    await rig.catalog.rebuild()
    await rig.catalog.scan()
    assert.deepEqual((await ivan.ask(`/findings/${finding.id}`)).json, before)
  })
})
