import assert from 'node:assert/strict'
import type { Approver } from '../../../recorder/desk/desk.ts'
import { ana, ask, ben, type DeskTest, refused } from './contract.ts'

/** The part of the contract that is about who may decide what. */
export function peopleContract(desk: DeskTest): void {
  desk('nobody decides for themselves or for their own agent, whatever the spelling', async (open) => {
    using cli = await open()
    const { id } = await cli.request(ask({ requester: 'agent:claude', principal: 'ana@example.org' }))
    const own: readonly Approver[] = [
      ana,
      { ...ana, subject: 'Ana@Example.org' },
      { subject: 'agent:claude', kind: 'human', groups: ['dba'] },
      { subject: 'ana.second@example.org', kind: 'human', groups: ['dba'], principal: 'ana@example.org' },
    ]
    for (const approver of own) {
      await refused('APPROVAL_FORBIDDEN', cli.decide(id, { act: 'approve' }, approver))
    }
    assert.equal((await cli.get(id)).state, 'pending')
    assert.equal((await cli.decide(id, { act: 'approve' }, ben)).state, 'approved')
  })

  desk('a reason that is too long is refused, and damages nothing', async (open) => {
    using cli = await open()
    const long = 'x'.repeat(2_001)
    const breaker: Approver = { ...ben, mayBreakGlass: true }
    const { id } = await cli.submit(ask())
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'reject', reason: long }, ana))
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'break-glass', reason: long }, breaker))
    await refused('APPROVAL_CONFLICT', cli.retract(id, { subject: 'agent:claude', kind: 'agent', groups: [] }, long))
    await cli.decide(id, { act: 'break-glass', reason: 'fire' }, breaker)
    await refused('APPROVAL_CONFLICT', cli.review(id, long, ana))
    assert.deepEqual(
      (await cli.list()).map(({ state, decisions }) => [state, decisions.length]),
      [['approved', 1]],
    )
  })

  desk('what runs by itself decides nothing, whatever its groups', async (open) => {
    using cli = await open()
    const { id } = await cli.request(ask())
    for (const kind of ['agent', 'service'] as const)
      await refused('APPROVAL_FORBIDDEN', cli.decide(id, { act: 'approve' }, { subject: 'bot', kind, groups: ['dba'] }))
    assert.equal((await cli.get(id)).state, 'pending')
  })

  desk('a second click of the same person changes nothing, whatever it says', async (open) => {
    using one = await open()
    using two = await open()
    const { id } = await one.request(ask({ approvers: { groups: ['dba'], count: 2 } }))
    const clicks = await Promise.allSettled([one.decide(id, { act: 'approve' }, ana), two.decide(id, { act: 'approve' }, ana)])
    assert.deepEqual(clicks.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.equal((await one.get(id)).state, 'pending')
    // Who has approved may still change their mind as long as it is pending: a rejection ends it.
    assert.equal((await two.decide(id, { act: 'reject', reason: 'read it again' }, ana)).state, 'rejected')
  })

  desk('breaking the glass takes the permission and a reason, one person, and is reviewed by another', async (open) => {
    using cli = await open()
    const breaker: Approver = { subject: 'cleo@example.org', kind: 'human', groups: ['oncall'], mayBreakGlass: true }
    const { id } = await cli.request(ask({ approvers: { groups: ['dba'], count: 2 } }))
    await refused('APPROVAL_FORBIDDEN', cli.decide(id, { act: 'break-glass', reason: 'fire' }, ana))
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'break-glass', reason: ' ' }, breaker))
    await refused('APPROVAL_FORBIDDEN', cli.decide(id, { act: 'break-glass', reason: 'fire' }, { ...breaker, kind: 'agent' }))
    assert.equal((await cli.decide(id, { act: 'break-glass', reason: 'fire' }, breaker)).state, 'approved')
    assert.equal(await cli.consume(id), true)
    await refused('APPROVAL_FORBIDDEN', cli.review(id, 'all fine', { ...breaker, groups: ['dba'] }))
    await refused('APPROVAL_CONFLICT', cli.review(id, ' ', ana))
    const reviewed = await cli.review(id, 'it was a fire', ana)
    assert.deepEqual([reviewed.state, reviewed.review?.by, reviewed.review?.note], ['consumed', ana.subject, 'it was a fire'])
    await refused('APPROVAL_CONFLICT', cli.review(id, 'me too', ben))
  })

  desk(
    'a person may break the glass for themselves, but neither for the agent that works for them nor to delete recordings',
    async (open) => {
      using cli = await open()
      const breaker: Approver = { subject: 'cleo@example.org', kind: 'human', groups: [], mayBreakGlass: true }
      const agents = await cli.request(ask({ principal: breaker.subject }))
      await refused('APPROVAL_FORBIDDEN', cli.decide(agents.id, { act: 'break-glass', reason: 'fire' }, breaker))
      const own = await cli.request(ask({ requester: breaker.subject, requesterKind: 'human', binding: 'b'.repeat(64) }))
      assert.equal((await cli.decide(own.id, { act: 'break-glass', reason: 'fire' }, breaker)).state, 'approved')
      const asked = { about: 'retention', kind: 'retention.delete', requesterKind: 'human' } as const
      for (const [requester, binding] of [
        [breaker.subject, 'c'.repeat(64)] as const,
        ['ana@example.org', 'd'.repeat(64)] as const,
      ]) {
        const deletion = await cli.submit(ask({ ...asked, requester, binding }))
        await refused('APPROVAL_FORBIDDEN', cli.decide(deletion.id, { act: 'break-glass', reason: 'fire' }, breaker))
        assert.equal((await cli.get(deletion.id)).state, 'pending')
      }
    },
  )

  desk('only the groups the rule names decide', async (open) => {
    using cli = await open()
    const { id } = await cli.request(ask())
    await refused(
      'APPROVAL_FORBIDDEN',
      cli.decide(id, { act: 'approve' }, { subject: 'eve@example.org', kind: 'human', groups: ['interns'] }),
    )
    await refused(
      'APPROVAL_FORBIDDEN',
      cli.decide(id, { act: 'reject', reason: 'no' }, { subject: 'eve@example.org', kind: 'human', groups: [] }),
    )
  })

  desk('where two must approve, the same person counts once', async (open) => {
    using cli = await open()
    const { id } = await cli.request(ask({ approvers: { groups: ['dba'], count: 2 } }))
    assert.equal((await cli.decide(id, { act: 'approve' }, ana)).state, 'pending')
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'approve' }, { ...ana, subject: 'ANA@example.org' }))
    assert.equal(await cli.consume(id), false)
    const after = await cli.decide(id, { act: 'approve' }, ben)
    assert.equal(after.state, 'approved')
    assert.deepEqual(
      after.decisions.map(({ by }) => by),
      ['ana@example.org', 'ben@example.org'],
    )
  })

  desk('of an approval and a rejection at once exactly one counts', async (open) => {
    using one = await open()
    using two = await open()
    const { id } = await one.request(ask())
    const results = await Promise.allSettled([
      one.decide(id, { act: 'approve' }, ana),
      two.decide(id, { act: 'reject', reason: 'no' }, ben),
    ])
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    const { state, decisions } = await one.get(id)
    assert.equal(decisions.length, 1)
    assert.equal(state, decisions[0]?.act === 'approve' ? 'approved' : 'rejected')
  })

  desk('rejecting needs a reason', async (open) => {
    using cli = await open()
    const { id } = await cli.request(ask())
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'reject' }, ana))
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'reject', reason: '  ' }, ana))
  })
}
