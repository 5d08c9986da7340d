import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Approver } from '../../../recorder/desk/desk.ts'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../../recorder/desk/desk-records.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import type { ApprovalState } from '../../../schemas/approval.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { ask, newClock, type TestClock } from './contract.ts'

const RUNS = Number(process.env['SALLYPORT_MODEL_RUNS'] ?? 25)
const TTL_MS = 3_600_000
const SET_BACK_MS = 60_000
const BINDINGS = ['a', 'b'].map((letter) => letter.repeat(64))
const NEEDED = 2

/** Two spellings of ana, the human behind the agent, somebody of another group, an agent: all with what they may do. */
const PEOPLE: readonly (Approver & { readonly may: 'approve' | 'glass' | 'nothing'; readonly person: string })[] = [
  { subject: 'ana@example.org', kind: 'human', groups: ['dba'], may: 'approve', person: 'ana' },
  { subject: 'ANA@example.org', kind: 'human', groups: ['dba'], may: 'approve', person: 'ana' },
  { subject: 'ben@example.org', kind: 'human', groups: ['dba'], may: 'approve', person: 'ben' },
  { subject: 'zoe@example.org', kind: 'human', groups: ['dba'], mayBreakGlass: true, may: 'nothing', person: 'zoe' },
  { subject: 'cleo@example.org', kind: 'human', groups: ['oncall'], mayBreakGlass: true, may: 'glass', person: 'cleo' },
  { subject: 'agent:helper', kind: 'agent', groups: ['dba'], mayBreakGlass: true, may: 'nothing', person: 'helper' },
]

/** What one request should be, worked out without the desk. */
interface Expected {
  readonly id: string
  readonly createdMs: number
  readonly approved: Set<string>
  lastMs: number
  state: ApprovalState
}

/** The desk as it should be: per binding the newest request. */
interface Model {
  readonly newest: Map<string, Expected>
}

/** The desk as it is: some processes on one folder, and what they told the ledger. */
interface Real {
  readonly folder: string
  readonly clock: TestClock
  readonly desks: RecordsDesk[]
  readonly told: LedgerEntry[]
  readonly used: Map<string, number>
}

type Command = fc.AsyncCommand<Model, Real>

/** Time does to the expected request what it must do to the real one. */
function age(expected: Expected, nowMs: number): Expected {
  const open = expected.state === 'pending' || expected.state === 'approved'
  if (open && (nowMs >= expected.createdMs + TTL_MS || nowMs < expected.lastMs - SET_BACK_MS)) expected.state = 'expired'
  return expected
}

async function code(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    if (error instanceof ApplianceError) return error.code
    throw error
  }
}

const deskOf = ({ desks }: Real, process: number): RecordsDesk => {
  const desk = desks[process % desks.length]
  assert.ok(desk !== undefined)
  return desk
}

class Ask implements Command {
  readonly process: number
  readonly binding: string
  constructor(process: number, binding: string) {
    this.process = process
    this.binding = binding
  }
  check = (): boolean => true
  async run(model: Model, real: Real): Promise<void> {
    const asked = await deskOf(real, this.process).submit(
      ask({ binding: this.binding, principal: 'zoe@example.org', approvers: { groups: ['dba'], count: NEEDED } }),
    )
    const known = model.newest.get(this.binding)
    if (known !== undefined && ['pending', 'approved'].includes(age(known, real.clock.now).state)) {
      assert.equal(asked.id, known.id, 'an open request is joined')
      return
    }
    assert.notEqual(asked.id, known?.id)
    const createdMs = real.clock.now
    model.newest.set(this.binding, { id: asked.id, createdMs, lastMs: createdMs, approved: new Set(), state: 'pending' })
  }
  toString = (): string => `ask(${this.process}, ${this.binding[0]})`
}

class Decide implements Command {
  readonly process: number
  readonly binding: string
  readonly who: number
  readonly act: 'approve' | 'reject' | 'break-glass'
  constructor(process: number, binding: string, who: number, act: 'approve' | 'reject' | 'break-glass') {
    this.process = process
    this.binding = binding
    this.who = who
    this.act = act
  }
  check = ({ newest }: Readonly<Model>): boolean => newest.has(this.binding)
  async run(model: Model, real: Real): Promise<void> {
    const known = model.newest.get(this.binding)
    const approver = PEOPLE[this.who]
    assert.ok(known !== undefined && approver !== undefined)
    const result = await code(deskOf(real, this.process).decide(known.id, { act: this.act, reason: 'because' }, approver))
    const { may, person } = approver
    const { state, approved } = age(known, real.clock.now)
    const allowed = this.act === 'break-glass' ? may === 'glass' : may === 'approve'
    const takes = allowed && state === 'pending' && !(this.act === 'approve' && approved.has(person))
    assert.equal(result, takes ? 'done' : allowed ? 'APPROVAL_CONFLICT' : 'APPROVAL_FORBIDDEN')
    if (!takes) return
    known.lastMs = Math.max(known.lastMs, real.clock.now)
    if (this.act === 'reject') known.state = 'rejected'
    else if (this.act === 'break-glass' || approved.add(person).size >= NEEDED) known.state = 'approved'
  }
  toString = (): string => `${this.act}(${this.process}, ${this.binding[0]}, ${PEOPLE[this.who]?.subject})`
}

/** All processes at once: of all that try, one may. */
class Consume implements Command {
  readonly binding: string
  readonly tries: number
  constructor(binding: string, tries: number) {
    this.binding = binding
    this.tries = tries
  }
  check = ({ newest }: Readonly<Model>): boolean => newest.has(this.binding)
  async run(model: Model, real: Real): Promise<void> {
    const known = model.newest.get(this.binding)
    assert.ok(known !== undefined)
    const { state } = age(known, real.clock.now)
    const grants = await Promise.all(real.desks.map((desk) => desk.granted(this.binding)))
    for (const grant of grants) assert.equal(grant?.id, state === 'approved' ? known.id : undefined)
    const taken = await Promise.all(Array.from({ length: this.tries }, (_, at) => deskOf(real, at).consume(known.id)))
    const count = taken.filter(Boolean).length
    assert.equal(count, state === 'approved' ? 1 : 0)
    real.used.set(known.id, (real.used.get(known.id) ?? 0) + count)
    if (state === 'approved') known.state = 'consumed'
  }
  toString = (): string => `consume(${this.binding[0]}, ${this.tries} at once)`
}

class Retract implements Command {
  readonly process: number
  readonly binding: string
  constructor(process: number, binding: string) {
    this.process = process
    this.binding = binding
  }
  check = ({ newest }: Readonly<Model>): boolean => newest.has(this.binding)
  async run(model: Model, real: Real): Promise<void> {
    const known = model.newest.get(this.binding)
    assert.ok(known !== undefined)
    const by: Approver = { subject: 'agent:claude', kind: 'agent', groups: [] }
    const result = await code(deskOf(real, this.process).retract(known.id, by))
    const { state } = age(known, real.clock.now)
    assert.equal(result, state === 'pending' ? 'done' : 'APPROVAL_CONFLICT')
    if (state === 'pending') known.state = 'withdrawn'
  }
  toString = (): string => `retract(${this.process}, ${this.binding[0]})`
}

class Restart implements Command {
  readonly process: number
  constructor(process: number) {
    this.process = process
  }
  check = (): boolean => true
  async run(_model: Model, real: Real): Promise<void> {
    const at = this.process % real.desks.length
    real.desks[at]?.[Symbol.dispose]()
    real.desks[at] = await openDesk(real)
  }
  toString = (): string => `restart(${this.process})`
}

/** Everybody looks, then the clock jumps: what is seen as over is over, whatever the clock says next. */
class Jump implements Command {
  readonly ms: number
  constructor(ms: number) {
    this.ms = ms
  }
  check = (): boolean => true
  async run(model: Model, real: Real): Promise<void> {
    real.clock.now += this.ms
    await deskOf(real, 0).sweep()
    for (const expected of model.newest.values()) {
      age(expected, real.clock.now)
      for (const desk of real.desks) assert.equal((await desk.get(expected.id)).state, expected.state)
    }
  }
  toString = (): string => `jump(${this.ms} ms)`
}

function openDesk({ folder, clock, told }: Pick<Real, 'folder' | 'clock' | 'told'>): RecordsDesk {
  return openFolderDesk(folder, () => clock.now, { append: async (entry) => void told.push(entry) })
}

const process3 = fc.nat({ max: 2 })
const binding = fc.constantFrom(...BINDINGS)
const commands = fc.commands(
  [
    fc.tuple(process3, binding).map(([at, of]) => new Ask(at, of)),
    fc
      .tuple(
        process3,
        binding,
        fc.nat({ max: PEOPLE.length - 1 }),
        fc.constantFrom('approve', 'approve', 'approve', 'reject', 'break-glass'),
      )
      .map(([at, of, who, act]) => new Decide(at, of, who, act)),
    fc.tuple(binding, fc.integer({ min: 1, max: 6 })).map(([of, tries]) => new Consume(of, tries)),
    fc.tuple(process3, binding).map(([at, of]) => new Retract(at, of)),
    process3.map((at) => new Restart(at)),
    fc.constantFrom(1, 59_000, TTL_MS / 2, TTL_MS, -1, -59_000, -61_000, -TTL_MS).map((ms) => new Jump(ms)),
  ],
  { size: '+1' },
)

test('the desk is its model: several people, processes, restarts, a clock that jumps; and the ledger has each step once', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const folder = await mkdtemp(join(tmpdir(), 'sallyport-model-'))
      const parts = { folder, clock: newClock(), told: [], used: new Map<string, number>() }
      const desks = [await openDesk(parts), await openDesk(parts), await openDesk(parts)]
      const real: Real = { ...parts, desks }
      try {
        await fc.asyncModelRun(() => ({ model: { newest: new Map() }, real }), steps)
        for (const [, count] of real.used) assert.ok(count <= 1, 'used at most once')
        await ledgerHolds(real)
      } finally {
        for (const desk of desks) desk[Symbol.dispose]()
        await rm(folder, { recursive: true, force: true })
      }
    }),
    { numRuns: RUNS },
  )
})

/** Per request one entry for each step, in the order of its life, and nothing consumed that was not approved before. */
async function ledgerHolds({ desks, told }: Real): Promise<void> {
  for (const { id, decisions, state } of (await desks[0]?.list()) ?? []) {
    const types = told.flatMap((entry) => ('approval' in entry && entry.approval === id ? [entry.type] : []))
    const decided = decisions.map(({ act }) => (act === 'break-glass' ? 'approval.break-glass' : 'approval.decide'))
    const last = { consumed: ['approval.consume'], withdrawn: ['approval.withdraw'], expired: ['approval.expire'] }
    const end = state in last ? last[state as keyof typeof last] : []
    // One that has run out unseen is told by whoever looks next.
    const expected = ['approval.request', ...decided, ...end]
    assert.deepEqual(types, state === 'expired' ? expected.slice(0, types.length) : expected)
    assert.ok(types.length >= 1 + decided.length)
  }
}
