import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApprovalAsk } from '../../../recorder/desk/approvals.ts'
import { type ApiRig, apiRig, type Browser, listen } from '../../support/api.ts'

let asked = 0
function ask(part: Partial<ApprovalAsk> = {}): ApprovalAsk {
  asked += 1
  return {
    session: '20261120T105150Z-gw1-00000001',
    requester: 'agent-7',
    requesterKind: 'agent',
    principal: 'ada',
    target: 'shop',
    protocol: 'postgres',
    kind: 'query',
    command: 'DELETE FROM stale_carts',
    facts: {},
    rules: ['no-where'],
    reason: 'deletes everything',
    approvers: { groups: ['dba'], count: 1 },
    binding: asked.toString(16).padStart(64, '0'),
    ttlMs: 60_000,
    ...part,
  }
}

let rig: ApiRig
let gina: Browser
let gus: Browser
before(async () => {
  rig = await apiRig()
  gina = await rig.as('gina')
  gus = await rig.as('gus')
})
after(() => rig[Symbol.asyncDispose]())

test('of two people who decide at the same moment one wins, and the other is told so', async () => {
  for (const act of ['approve', 'reject'] as const) {
    const { id } = await rig.desk.request(ask())
    const body = { act, reason: 'because' }
    const answers = await Promise.all([gina, gus].map((browser) => browser.ask(`/approvals/${id}/decision`, { body })))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    const loser = answers.find(({ status }) => status === 409)
    assert.equal(loser?.json.code, 'APPROVAL_CONFLICT')
    assert.match(loser?.json.detail, /only a pending one can be decided/)
    assert.equal((await rig.desk.get(id)).decisions.length, 1)
  }
})

test('two tabs of one person are one person', async () => {
  const { id } = await rig.desk.request(ask({ approvers: { groups: ['dba'], count: 2 } }))
  const tabs = [await rig.as('gina'), await rig.as('gina')]
  const answers = await Promise.all(tabs.map((tab) => tab.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
  assert.equal((await rig.desk.get(id)).state, 'pending')
})

test('the whole command is shown, what the reader may do about it, and never the binding', async () => {
  const command = `DELETE FROM carts -- ${'x'.repeat(100_000)}\u202e<script>`
  const { id } = await rig.desk.request(ask({ command }))
  const shown = (await gina.ask(`/approvals/${id}`)).json
  assert.equal(shown.command, command)
  assert.deepEqual(shown.may, { decide: true, breakGlass: false, review: false, end: false })
  assert.ok(!('binding' in shown))
  const vera = await rig.as('vera')
  assert.equal((await vera.ask(`/approvals/${id}`)).json.may.decide, false)
  assert.equal((await vera.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })).status, 403)
})

test('who asked, and who is behind them, may not decide, whatever their roles', async () => {
  const { id } = await rig.desk.request(ask({ requester: 'bot', principal: 'GINA' }))
  assert.match((await gina.ask(`/approvals/${id}`)).json.may.why, /somebody else must decide/)
  const answer = await gina.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })
  assert.equal(answer.status, 403)
  assert.equal(answer.json.code, 'APPROVAL_FORBIDDEN')
})

test('a rejection without a reason, an unknown act and a decision without CSRF token change nothing', async () => {
  const { id } = await rig.desk.request(ask())
  for (const body of [{ act: 'reject' }, { act: 'reject', reason: '  ' }])
    assert.equal((await gina.ask(`/approvals/${id}/decision`, { body })).status, 409)
  for (const body of [{ act: 'allow' }, { act: 'approve', by: 'gus' }, {}])
    assert.equal((await gina.ask(`/approvals/${id}/decision`, { body })).status, 400)
  const naked = await rig.ask(`/approvals/${id}/decision`, { body: { act: 'approve' }, headers: { cookie: gina.cookie } })
  assert.equal(naked.status, 403)
  assert.equal((await rig.desk.get(id)).state, 'pending')
})

test('requests of targets a reader shares nothing with are not there', async () => {
  const { id } = await rig.desk.request(ask())
  const otto = await rig.as('otto')
  const [foreign, missing, odd] = await Promise.all([id, 'A-00000000', '..%2f..'].map((each) => otto.ask(`/approvals/${each}`)))
  assert.deepEqual([foreign?.status, foreign?.text], [404, missing?.text])
  assert.equal(odd?.text, missing?.text)
  assert.deepEqual((await otto.ask('/approvals')).json.approvals, [])
  assert.ok((await gina.ask('/approvals?state=pending')).json.approvals.some((each: { id: string }) => each.id === id))
})

test('the list is newest first and pages without a gap', async () => {
  const all: string[] = (await gina.ask('/approvals?limit=200')).json.approvals.map(({ id }: { id: string }) => id)
  const paged: string[] = []
  for (let cursor = ''; ; ) {
    const { approvals, next } = (await gina.ask(`/approvals?limit=2${cursor}`)).json
    paged.push(...approvals.map(({ id }: { id: string }) => id))
    if (next === null) break
    cursor = `&cursor=${next}`
  }
  assert.deepEqual(paged, all)
  assert.equal((await gina.ask('/approvals?cursor=AAAA')).status, 400)
})

test('a decision reaches every open inbox', async () => {
  const inbox = await listen(rig.server.port, '/events', { cookie: gus.cookie })
  const { id } = await rig.desk.request(ask())
  const come = await inbox.next()
  assert.deepEqual([come.event, come.data.id, come.data.state, come.data.may.decide], ['approval', id, 'pending', true])
  await gina.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })
  const changed = await inbox.next()
  assert.deepEqual([changed.data.id, changed.data.state, changed.data.may.decide], [id, 'approved', false])
  assert.ok(rig.notes.some(({ type, approval, actor }) => type === 'approval.decision' && approval === id && actor === 'gina'))
  inbox.close()
})

test('a list has the beginning of a command of megabytes, and the request itself all of it', async () => {
  const command = `DELETE FROM stale_carts -- ${'x'.repeat(10 << 20)}`
  const { id } = await rig.desk.request(ask({ command }))
  const { approvals } = (await gina.ask('/approvals?state=pending')).json
  const listed = approvals.find((one: { id: string }) => one.id === id)
  assert.equal(listed.commandChars, command.length)
  assert.equal(listed.command, command.slice(0, 4_000))
  const whole = (await gina.ask(`/approvals/${id}`)).json
  assert.equal(whole.command, command)
  assert.equal(whole.commandChars, command.length)
})

test('two tabs that decide one request: the second is told, and its attempt is noted as none', async () => {
  const { id } = await rig.desk.request(ask())
  const before = rig.notes.length
  const answers = await Promise.all([gina, gina].map((tab) => tab.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
  const noted = rig.notes.slice(before).filter(({ approval }) => approval === id)
  // One whose turn came when it was decided already never got as far as its note.
  const taken = noted.filter(({ type }) => type === 'approval.decision').length
  assert.equal(taken - noted.filter(({ type }) => type === 'approval.decision-failed').length, 1)
})

test('breaking the glass takes its permission and a reason, is listed until somebody else reviews it, and is marked for good', async () => {
  const { id } = await rig.desk.request(ask({ approvers: { groups: ['dba'], count: 2 } }))
  const path = `/approvals/${id}/decision`
  assert.equal((await gina.ask(path, { body: { act: 'break-glass', reason: 'fire' } })).status, 403)
  const bea = await rig.as('bea')
  assert.equal((await bea.ask(`/approvals/${id}`)).json.may.breakGlass, true)
  assert.equal((await bea.ask(path, { body: { act: 'break-glass' } })).status, 409)
  assert.equal((await bea.ask(path, { body: { act: 'approve' } })).status, 403)
  assert.equal((await bea.ask(path, { body: { act: 'break-glass', reason: 'fire' } })).json.state, 'approved')
  const due = async (): Promise<string[]> =>
    (await gus.ask('/approvals?review=due')).json.approvals.map((each: { id: string }) => each.id)
  assert.ok((await due()).includes(id))
  assert.equal((await bea.ask(`/approvals/${id}/review`, { body: { note: 'all fine' } })).status, 403)
  const reviewed = await gus.ask(`/approvals/${id}/review`, { body: { note: 'it was a fire' } })
  assert.deepEqual([reviewed.status, reviewed.json.review.by, reviewed.json.review.note], [200, 'gus', 'it was a fire'])
  assert.ok(!(await due()).includes(id))
})

test('access is asked for by whoever may, seen by who asked, and ended by them or an approver', async () => {
  const vera = await rig.as('vera')
  assert.deepEqual((await vera.ask('/access')).json.targets, [{ target: 'vault', maxMinutes: 60 }])
  assert.deepEqual((await gina.ask('/access')).json.targets, [])
  const asked = await vera.ask('/access', { body: { target: 'vault', minutes: 30, reason: 'ticket 4711' } })
  assert.deepEqual([asked.status, asked.json.about, asked.json.access.forMs], [202, 'access', 1_800_000])
  const { id } = asked.json
  assert.equal((await vera.ask(`/approvals/${id}`)).json.command, 'ticket 4711')
  assert.equal((await vera.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })).status, 403)
  assert.equal((await gina.ask(`/approvals/${id}/decision`, { body: { act: 'approve' } })).json.state, 'approved')
  assert.equal((await rig.as('ivan').then((ivan) => ivan.ask(`/approvals/${id}/end`, { body: {} }))).status, 404)
  const ended = await gina.ask(`/approvals/${id}/end`, { body: { reason: 'over' } })
  assert.deepEqual([ended.json.state, ended.json.withdrawn.by], ['withdrawn', 'gina'])
})

test('whoever decides is shown what was decided about the like, and only of what they may see', async () => {
  const facts = { fingerprint: 'f1', labels: ['pii.email'] }
  const before = await rig.desk.request(ask({ facts, command: 'DELETE FROM a WHERE id = 1' }))
  await gina.ask(`/approvals/${before.id}/decision`, { body: { act: 'reject', reason: 'use the job' } })
  const hidden = await rig.desk.request(ask({ facts, target: 'vault', approvers: { groups: ['vault-team'], count: 1 } }))
  const now = await rig.desk.request(ask({ facts, command: 'DELETE FROM a WHERE id = 1' }))
  const { similar } = (await gus.ask(`/approvals/${now.id}/similar`)).json
  assert.deepEqual(
    similar.map(({ id, same, decisions }: { id: string; same: boolean; decisions: { reason: string }[] }) => [
      id,
      same,
      decisions[0]?.reason,
    ]),
    [[before.id, true, 'use the job']],
  )
  assert.ok(hidden.id !== before.id)
})
