import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApprovalAsk } from '../../../recorder/desk/approvals.ts'
import type { Approver, Desk } from '../../../recorder/desk/desk.ts'
import { ApplianceError, type ErrorCode } from '../../../schemas/errors.ts'

/** A clock the test moves. */
export interface TestClock {
  now: number
}

/** One shared desk, opened by as many processes as the test pretends there are. */
export interface DeskFixture extends AsyncDisposable {
  readonly clock: TestClock
  open(): Promise<Desk>
}

const NOW_MS = Date.parse('2026-11-20T10:00:00Z')
const HOUR_MS = 3_600_000
const REACTION_MS = 2_000 // generous: the machine is shared; the point is that nobody waits for the expiry

export const ana: Approver = { subject: 'ana@example.org', kind: 'human', groups: ['dba'] }
export const ben: Approver = { subject: 'ben@example.org', kind: 'human', groups: ['dba', 'leads'] }

export function newClock(): TestClock {
  return { now: NOW_MS }
}

/** One test on a fresh desk. */
export type DeskTest = (title: string, body: (open: () => Promise<Desk>, clock: TestClock) => Promise<void>) => void

/** Tests of this name, each on a desk of its own. */
export function deskTests(name: string, fixture: () => Promise<DeskFixture>): DeskTest {
  return (title, body) => {
    test(`${name}: ${title}`, async () => {
      await using made = await fixture()
      await body(() => made.open(), made.clock)
    })
  }
}

/** What every desk must do, however it keeps its requests. */
export function deskContract(name: string, fixture: () => Promise<DeskFixture>): void {
  const desk = deskTests(name, fixture)

  desk('a request is pending until decided, and any process sees it whole', async (open) => {
    using one = await open()
    using two = await open()
    const asked = await one.request(ask({ command: 'DELETE FROM orders -- \u202e everything' }))
    assert.match(asked.id, /^A-[0-9A-HJKMNP-TV-Z]{8}$/)
    assert.deepEqual(await two.get(asked.id), asked)
    assert.equal(asked.state, 'pending')
    assert.equal(asked.createdAt, '2026-11-20T10:00:00.000Z')
    assert.equal(asked.expiresAt, '2026-11-20T11:00:00.000Z')
    assert.deepEqual(await two.list({ state: 'pending' }), [{ ...asked, commandChars: asked.command.length }])
    assert.deepEqual(await two.list({ state: 'approved' }), [])
  })

  desk('an approval given in one process ends the waiting in another', async (open) => {
    using gate = await open()
    using cli = await open()
    const { id } = await gate.request(ask())
    const outcome = gate.outcome(id, AbortSignal.timeout(REACTION_MS))
    await cli.decide(id, { act: 'approve', reason: 'known clean-up' }, ana)
    const ended = await outcome
    assert.equal(ended.act, 'approved')
    assert.deepEqual(ended.act === 'approved' && ended.decisions.map(({ by, reason }) => ({ by, reason })), [
      { by: 'ana@example.org', reason: 'known clean-up' },
    ])
  })

  desk('a rejection carries its reason to the asker', async (open) => {
    using gate = await open()
    using cli = await open()
    const { id } = await gate.request(ask())
    const outcome = gate.outcome(id, AbortSignal.timeout(REACTION_MS))
    await cli.decide(id, { act: 'reject', reason: 'use the archive job' }, ana)
    const ended = await outcome
    assert.equal(ended.act === 'rejected' && ended.decisions.at(-1)?.reason, 'use the archive job')
    assert.equal(await gate.consume(id), false)
  })

  desk('waiting ends with the signal, and leaves the request as it was', async (open) => {
    using gate = await open()
    const { id } = await gate.request(ask())
    const left = new AbortController()
    const outcome = gate.outcome(id, left.signal)
    left.abort(new Error('the wire waited long enough'))
    await assert.rejects(outcome, /waited long enough/)
    assert.equal((await gate.get(id)).state, 'pending')
  })

  desk('an approval is consumed at most once, however many processes try at once', async (open) => {
    using first = await open()
    const { id } = await first.request(ask())
    assert.equal(await first.consume(id), false, 'nothing to consume before it is approved')
    await first.decide(id, { act: 'approve' }, ana)
    const desks = await Promise.all(Array.from({ length: 8 }, () => open()))
    const taken = await Promise.all(desks.flatMap((each) => [each.consume(id), each.consume(id)]))
    for (const each of desks) each[Symbol.dispose]()
    assert.equal(taken.filter(Boolean).length, 1)
    assert.equal((await first.get(id)).state, 'consumed')
    assert.equal(await first.consume(id), false)
  })

  desk(
    'the same thing asked again joins the open request; approved, it is granted once, also to another process',
    async (open) => {
      using one = await open()
      using two = await open()
      const first = await one.request(ask())
      assert.equal((await two.request(ask({ session: 'another' }))).id, first.id)
      assert.equal(await two.granted(first.binding), undefined)
      await two.decide(first.id, { act: 'approve' }, ana)
      assert.equal((await two.granted(first.binding))?.id, first.id)
      assert.equal(await two.consume(first.id), true)
      assert.equal(await one.granted(first.binding), undefined)
      const second = await one.request(ask())
      assert.notEqual(second.id, first.id)
      assert.equal(second.state, 'pending')
    },
  )

  desk('many processes asking the same thing at once make one request', async (open) => {
    const desks = await Promise.all(Array.from({ length: 8 }, () => open()))
    const asked = await Promise.all(desks.map((each) => each.request(ask())))
    assert.equal(new Set(asked.map(({ id }) => id)).size, 1)
    assert.equal((await desks[0]?.list())?.length, 1)
    for (const each of desks) each[Symbol.dispose]()
  })

  desk('other bytes are another request', async (open) => {
    using one = await open()
    const a = await one.request(ask())
    const b = await one.request(ask({ binding: 'b'.repeat(64) }))
    assert.notEqual(a.id, b.id)
    await one.decide(a.id, { act: 'approve' }, ana)
    assert.equal(await one.granted(b.binding), undefined)
  })

  desk('an asker who leaves withdraws the request', async (open) => {
    using gate = await open()
    using cli = await open()
    const { id, binding } = await gate.request(ask())
    await gate.withdraw(id)
    assert.equal((await cli.get(id)).state, 'withdrawn')
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'approve' }, ana))
    assert.equal(await gate.granted(binding), undefined)
    assert.notEqual((await gate.request(ask())).id, id)
  })

  desk('the request stays while a second asker still waits for it, in whatever process', async (open) => {
    using one = await open()
    using two = await open()
    const { id } = await one.request(ask())
    await two.request(ask())
    await one.withdraw(id)
    assert.equal((await one.get(id)).state, 'pending')
    await two.withdraw(id)
    assert.equal((await one.get(id)).state, 'withdrawn')
  })

  desk('what nobody waits for on a wire stays until it is decided, and is good for once, in whatever process', async (open) => {
    const cli = await open()
    const { session: _, target: _t, protocol: _p, ...rest } = ask({ about: 'policy', kind: 'policy.activate', rules: [] })
    const asked = await cli.submit(rest)
    assert.equal(asked.session, undefined)
    assert.equal((await cli.submit(rest)).id, asked.id, 'asked again, it is the same request')
    cli[Symbol.dispose]()
    using other = await open()
    assert.equal((await other.get(asked.id)).state, 'pending')
    await other.decide(asked.id, { act: 'approve' }, ana)
    assert.equal((await other.granted(asked.binding))?.id, asked.id)
    assert.equal(await other.consume(asked.id), true)
    assert.equal(await other.granted(asked.binding), undefined)
  })

  desk('its requester or the human behind them takes a request back, nobody else, and only while it is pending', async (open) => {
    using cli = await open()
    const { id } = await cli.submit(ask({ about: 'access', principal: 'zoe@example.org' }))
    await refused('APPROVAL_FORBIDDEN', cli.retract(id, ana))
    assert.equal((await cli.retract(id, { subject: 'Zoe@example.org', kind: 'human', groups: [] })).state, 'withdrawn')
    await refused('APPROVAL_CONFLICT', cli.retract(id, { subject: 'agent:claude', kind: 'agent', groups: [] }))
    await refused('APPROVAL_CONFLICT', cli.decide(id, { act: 'approve' }, ana))
  })

  desk('leaving after the decision changes nothing', async (open) => {
    using gate = await open()
    const { id } = await gate.request(ask())
    await gate.decide(id, { act: 'approve' }, ana)
    await gate.withdraw(id)
    assert.equal((await gate.get(id)).state, 'approved')
    assert.equal(await gate.consume(id), true)
  })

  desk('what has run out stays expired when the clock is set back; one set far back ends what is open', async (open, clock) => {
    using gate = await open()
    const first = await gate.request(ask())
    await gate.decide(first.id, { act: 'approve' }, ana)
    clock.now += HOUR_MS
    assert.equal(await gate.consume(first.id), false)
    clock.now -= HOUR_MS / 2
    assert.equal(await gate.consume(first.id), false, 'its approval is not good again')
    assert.equal((await gate.get(first.id)).state, 'expired')
    const second = await gate.request(ask())
    await gate.decide(second.id, { act: 'approve' }, ana)
    clock.now -= 61_000
    assert.equal(await gate.granted(second.binding), undefined)
    assert.equal((await gate.get(second.id)).state, 'expired')
  })

  desk('access is good for a while from its approval on, for any number of uses, and can be ended early', async (open, clock) => {
    using cli = await open()
    const access = ask({
      about: 'access',
      kind: 'access',
      requester: 'zoe@example.org',
      requesterKind: 'human',
      access: { forMs: HOUR_MS },
    })
    const { id, binding } = await cli.submit(access)
    clock.now += HOUR_MS / 2
    await cli.decide(id, { act: 'approve' }, ana)
    assert.equal(await cli.consume(id), false, 'it is not used up')
    clock.now += HOUR_MS - 1
    assert.equal((await cli.granted(binding))?.id, id)
    clock.now += 1
    assert.equal(await cli.granted(binding), undefined)
    const again = await cli.submit(access)
    await cli.decide(again.id, { act: 'approve' }, ana)
    await refused('APPROVAL_FORBIDDEN', cli.retract(again.id, { subject: 'eve', kind: 'human', groups: ['interns'] }))
    const ended = await cli.retract(again.id, ben, 'the incident is over')
    assert.deepEqual(
      [ended.state, ended.withdrawn?.by, ended.withdrawn?.reason],
      ['withdrawn', ben.subject, 'the incident is over'],
    )
    assert.equal(await cli.granted(binding), undefined)
  })

  desk('time ends a pending request and an unused approval alike', async (open, clock) => {
    using gate = await open()
    const pending = await gate.request(ask())
    const approved = await gate.request(ask({ binding: 'c'.repeat(64) }))
    await gate.decide(approved.id, { act: 'approve' }, ana)
    const outcome = gate.outcome(pending.id, AbortSignal.timeout(REACTION_MS))
    clock.now += HOUR_MS
    assert.deepEqual(await outcome, { act: 'expired' })
    await refused('APPROVAL_CONFLICT', gate.decide(pending.id, { act: 'approve' }, ana))
    assert.equal(await gate.granted(approved.binding), undefined)
    assert.equal(await gate.consume(approved.id), false)
    assert.notEqual((await gate.request(ask())).id, pending.id)
  })

  desk('everything outlives the process that wrote it', async (open) => {
    const one = await open()
    const { id, binding } = await one.request(ask())
    await one.decide(id, { act: 'approve' }, ana)
    one[Symbol.dispose]()
    using two = await open()
    assert.equal((await two.granted(binding))?.id, id)
    assert.equal(await two.consume(id), true)
  })

  desk('watching shows open requests first, then every change once', async (open) => {
    using gate = await open()
    using cli = await open()
    const closed = await gate.request(ask({ binding: 'd'.repeat(64) }))
    await gate.withdraw(closed.id)
    const first = await gate.request(ask())
    const stop = new AbortController()
    const seen = cli.watch(AbortSignal.any([stop.signal, AbortSignal.timeout(REACTION_MS * 2)]))[Symbol.asyncIterator]()
    const next = async (): Promise<string> => {
      const { value } = await seen.next()
      return value === undefined ? 'end' : `${value.id} ${value.state}`
    }
    assert.equal(await next(), `${first.id} pending`)
    await gate.decide(first.id, { act: 'approve' }, ana)
    assert.equal(await next(), `${first.id} approved`)
    const second = await gate.request(ask({ binding: 'e'.repeat(64) }))
    assert.equal(await next(), `${second.id} pending`)
    const last = next()
    stop.abort()
    assert.equal(await last, 'end')
  })

  desk('what is not a request is unknown', async (open) => {
    using cli = await open()
    for (const id of ['A-00000000', 'A-0', '../../etc/passwd', '', 'x'.repeat(10_000)]) {
      await refused('APPROVAL_UNKNOWN', cli.get(id))
      await refused('APPROVAL_UNKNOWN', cli.decide(id, { act: 'approve' }, ana))
    }
  })
}

export function ask(changes: Partial<ApprovalAsk> = {}): ApprovalAsk {
  return {
    session: '20261120T105150Z-gw1-00000042',
    requester: 'agent:claude',
    requesterKind: 'agent',
    target: 'shop',
    protocol: 'postgres',
    kind: 'query',
    command: 'DELETE FROM orders',
    facts: { verb: 'delete', tables: ['orders'] },
    rules: ['destructive.no-where'],
    reason: 'deletes every row',
    approvers: { groups: ['dba'], count: 1 },
    binding: 'a'.repeat(64),
    ttlMs: HOUR_MS,
    ...changes,
  }
}

export async function refused(code: ErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => error instanceof ApplianceError && error.code === code)
}
