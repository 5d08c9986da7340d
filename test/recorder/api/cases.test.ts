import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { type ApiRig, apiRig, type Browser } from '../../support/api.ts'
import { COMPLETE } from '../../support/recorded-session.ts'
import { entry, START } from '../../support/recording.ts'

let rig: ApiRig
/** Of `shop`; of `vault`. */
let shop: string
let vault: string
let gina: Browser
let ivan: Browser
let otto: Browser
let audrey: Browser
let ann: Browser

before(async () => {
  rig = await apiRig()
  const record = async (target: string): Promise<string> => {
    const { info, recorder } = await rig.room.open({ ...START, target: { ...START.target, name: target } })
    await recorder.append([
      entry({ kind: 'query', body: serialize.query('SELECT 1') }),
      entry({ dir: 'out', kind: 'reply', body: COMPLETE, facts: { statement: 1, rows: 1, tag: 'SELECT 1', status: 'I' } }),
    ])
    await recorder.seal('client.left')
    return info.id
  }
  shop = await record('shop')
  vault = await record('vault')
  await rig.catalog.settle()
  ;[gina, ivan, otto, audrey, ann] = await Promise.all([
    rig.as('gina'),
    rig.as('ivan'),
    rig.as('otto'),
    rig.as('audrey'),
    rig.as('ann'),
  ])
})
after(() => rig[Symbol.asyncDispose]())

test('a case is gathered by several people, each seeing of it what they may see; every change is ledgered', async () => {
  rig.notes.length = 0
  const begun = await ivan.ask('/cases', { body: { title: 'Clients' } })
  assert.equal(begun.status, 201)
  const { id } = begun.json
  assert.equal((await ivan.ask(`/cases/${id}/changes`, { body: { act: 'rename', title: 'Customers' } })).status, 200)
  assert.deepEqual(
    rig.notes.map(({ case: of, act, title }) => [of, act, title]),
    [
      [id, 'create', 'Clients'],
      [id, 'rename', 'Customers'],
    ],
  )
  const change = (who: Browser, body: object) => who.ask(`/cases/${id}/changes`, { body })
  rig.notes.length = 0
  assert.equal((await change(ivan, { act: 'add', kind: 'frame', session: shop, frame: 1, row: 0, note: 'here' })).status, 200)
  assert.equal(
    (await change(otto, { act: 'add', kind: 'session', session: vault })).status,
    404,
    'nothing of it is theirs to see',
  )
  assert.equal((await change(ann, { act: 'add', kind: 'session', session: vault, note: 'a secret of ours' })).status, 200)
  assert.deepEqual(
    rig.notes.map(({ type, case: of, act, actor, session, frame }) => [type, of, act, actor, session, frame]),
    [
      ['case.change', id, 'add', 'ivan', shop, 1],
      ['case.change', id, 'add', 'ann', vault, undefined],
    ],
  )
  assert.equal((await change(ivan, { act: 'add', kind: 'session', session: vault })).status, 404, 'not theirs to add')
  assert.equal((await change(ivan, { act: 'add', kind: 'frame', session: shop })).status, 400)
  const seen = (await ivan.ask(`/cases/${id}`)).json
  assert.deepEqual(
    seen.items.map(({ shown, note, session }: { shown: boolean; note: string; session?: string }) => [shown, note, session]),
    [
      [true, 'here', shop],
      [false, '', undefined],
    ],
  )
  assert.equal((await change(audrey, { act: 'note', text: 'x' })).status, 403)
  assert.equal((await audrey.ask(`/cases/${id}`)).json.items[1].note, 'a secret of ours')
  assert.equal((await (await rig.as('vera')).ask('/cases')).status, 403)
  rig.notes.length = 0
  assert.equal((await change(gina, { act: 'remove', n: 2 })).status, 404, 'not theirs to take out')
  assert.equal((await change(gina, { act: 'remove', n: 9 })).status, 409)
  assert.deepEqual(rig.notes, [], 'what is refused is not told as done')
  assert.equal((await change(otto, { act: 'remove', n: 2 })).status, 200)
  assert.equal((await change(gina, { act: 'close', reason: 'benign' })).json.state, 'closed')
  rig.notes.length = 0
  assert.equal((await change(gina, { act: 'remove', n: 1 })).status, 409)
  assert.deepEqual(rig.notes, [])
})

test('a case is there for who began it and for who may see anything in it; for others neither its title, its notes nor its end', async () => {
  const { id } = (await otto.ask('/cases', { body: { title: 'Salaries of the board' } })).json
  const change = (who: Browser, body: object) => who.ask(`/cases/${id}/changes`, { body })
  const titles = async (who: Browser): Promise<string[]> =>
    (await who.ask('/cases')).json.cases.map(({ title }: { title: string }) => title)
  assert.equal((await change(otto, { act: 'note', text: 'who looked: the board' })).status, 200)
  assert.equal((await change(otto, { act: 'add', kind: 'session', session: vault })).status, 200)
  rig.notes.length = 0
  const none = await ivan.ask('/cases/C-0000000000')
  const hidden = await ivan.ask(`/cases/${id}`)
  assert.deepEqual([hidden.status, hidden.json.detail], [none.status, none.json.detail])
  assert.ok(!(await titles(ivan)).includes('Salaries of the board'))
  for (const act of [
    { act: 'note', text: 'x' },
    { act: 'rename', title: 'x' },
    { act: 'close', reason: 'x' },
    { act: 'remove', n: 2 },
    { act: 'add', kind: 'session', session: shop },
  ])
    assert.equal((await change(ivan, act)).status, 404, act.act)
  assert.deepEqual(
    rig.notes.filter(({ type }) => type === 'case.change'),
    [],
  )
  // Auditors and admins see every target, and so every case.
  assert.equal((await audrey.ask(`/cases/${id}`)).json.notes[0].text, 'who looked: the board')
  assert.equal((await change(ann, { act: 'add', kind: 'session', session: shop })).status, 200)
  const seen = (await ivan.ask(`/cases/${id}`)).json
  assert.deepEqual([seen.notes.length, seen.items.map(({ shown }: { shown: boolean }) => shown)], [1, [false, true]])
  assert.ok((await titles(ivan)).includes('Salaries of the board'))
  const last = seen.items[1].n
  assert.equal((await change(ivan, { act: 'remove', n: last })).status, 200)
  assert.equal((await ivan.ask(`/cases/${id}`)).status, 404)
  assert.equal((await change(otto, { act: 'close', reason: 'done' })).json.state, 'closed')
})

test('bookmarks are one’s own: nobody else finds them, by list, by id or by session', async () => {
  const added = await ivan.ask('/cases/mine/changes', {
    body: { act: 'add', kind: 'frame', session: shop, frame: 0, note: 'look again' },
  })
  assert.equal(added.status, 200)
  const own = added.json.id
  assert.equal((await gina.ask(`/cases/${own}`)).status, 404)
  assert.equal((await gina.ask(`/cases/${own}/changes`, { body: { act: 'remove', n: 0 } })).status, 404)
  const marks = async (who: Browser): Promise<string[]> =>
    (await who.ask(`/sessions/${shop}/bookmarks`)).json.bookmarks.map(({ title }: { title: string }) => title)
  assert.deepEqual(await marks(ivan), ['My bookmarks', 'Customers'])
  assert.deepEqual(await marks(gina), ['Customers'])
  assert.equal((await ivan.ask('/cases')).json.cases[0].own, true)
  assert.equal((await gina.ask('/cases')).json.cases.length, 1)
  assert.equal((await otto.ask(`/sessions/${shop}/bookmarks`)).status, 404)
})

test('custody of a session is for who may see it, of everything for auditors; the ledger tells how far it is signed', async () => {
  const custody = await ivan.ask(`/custody?session=${shop}`)
  assert.deepEqual([custody.status, Array.isArray(custody.json.entries)], [200, true])
  assert.equal((await otto.ask(`/custody?session=${shop}`)).status, 404)
  assert.equal((await ivan.ask('/custody')).status, 403)
  assert.equal((await audrey.ask('/custody?act=viewed&actor=i*')).status, 200)
  assert.equal((await audrey.ask('/custody?cursor=x')).status, 400)
  const ledger = await audrey.ask('/ledger')
  assert.deepEqual([ledger.status, ledger.json.holds], [200, []])
  assert.equal((await ivan.ask('/ledger')).status, 403)
})

test('searches are saved for oneself or for all, and the ledger has it', async () => {
  rig.notes.length = 0
  const saved = await ivan.ask('/saved-searches', {
    body: { name: 'Blocked', page: 'sessions', filter: 'verdict:block', shared: true },
  })
  assert.equal(saved.status, 201)
  const [search] = (await gina.ask('/saved-searches')).json.searches
  assert.deepEqual([search.name, search.by, search.may.remove], ['Blocked', 'ivan', false])
  assert.equal((await gina.ask(`/saved-searches/${search.id}/removal`, { body: {} })).status, 404)
  assert.deepEqual((await ivan.ask(`/saved-searches/${search.id}/removal`, { body: {} })).json.searches, [])
  assert.deepEqual(
    rig.notes.map(({ type, actor, search: of, name, shared }) => [type, actor, of, name, shared]),
    ['search.save', 'search.remove'].map((type) => [type, 'ivan', search.id, 'Blocked', true]),
  )
})
