import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { pino } from 'pino'
import { AccessWatch } from '../../gateway/access-watch.ts'
import { loadConfig, type Settings } from '../../gateway/config.ts'
import { AccessKeys } from '../../gateway/identity/access-keys.ts'
import { BlockedSubjects } from '../../gateway/identity/blocked.ts'
import { Doorkeeper } from '../../gateway/identity/doorkeeper.ts'
import { JwtProver } from '../../gateway/identity/jwt.ts'
import { ProofWatch } from '../../gateway/identity/proof-watch.ts'
import { Log } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import { OwnBudgets } from '../../gateway/policy/budgets.ts'
import type { Joined, Knock, Session } from '../../gateway/protocol.ts'
import { EchoWire, echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { loadPolicy } from '../../gateway/service.ts'
import { GatewaySessions } from '../../gateway/sessions.ts'
import { Cancels } from '../../gateway/sessions-cancel.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import type { OpenSession, SessionStart } from '../../recorder/index.ts'
import type { Recorder, Seal } from '../../recorder/recorder.ts'
import { ApplianceError, type ErrorCode } from '../../schemas/errors.ts'
import type { Entry, Masked } from '../../schemas/frame.ts'
import type { SessionId } from '../../schemas/session.ts'
import { type EchoGateway, echoGateway } from '../support/echo-gateway.ts'
import { LogLines } from '../support/gateway-log.ts'

const never = new AbortController().signal
const tls = { context: createSecureContext(), required: false }

/** A recorder's room that keeps everything in memory, and fails on demand. */
class FakeRoom {
  readonly starts: SessionStart[] = []
  readonly seals: string[] = []
  readonly entries: Masked<Entry>[] = []
  onOpen: () => void = () => undefined
  failOpen = false
  failAppend = false
  failSeal = false

  async open(start: SessionStart): Promise<OpenSession> {
    if (this.failOpen) throw new ApplianceError('RECORDER_FAILED', 'no room')
    this.starts.push(start)
    this.onOpen()
    const number = this.starts.length
    const info = { ...start, id: `s-${number}` as SessionId, gateway: 'gw1', number, startedAt: new Date().toISOString() }
    const recorder: Recorder = {
      append: async (entries) => {
        if (this.failAppend) throw new ApplianceError('RECORDER_FAILED', 'disk full')
        this.entries.push(...entries)
      },
      seal: async (reason): Promise<Seal> => {
        if (this.failSeal) throw new ApplianceError('RECORDER_FAILED', 'disk full')
        this.seals.push(reason)
        return { reason, frameCount: this.entries.length, chunkCount: 1, root: '' }
      },
    }
    return { info, recorder }
  }
}

interface House extends AsyncDisposable {
  readonly gateway: EchoGateway
  readonly room: FakeRoom
  readonly log: LogLines
  proved(): number
  readonly sessions: GatewaySessions
  open(knock?: Partial<Knock>, signal?: AbortSignal): Promise<Session>
  join(run: string): Promise<Joined<Session>>
}

async function house(
  options: { readonly limits?: Readonly<Record<string, number>>; readonly change?: (settings: Settings) => Settings } = {},
): Promise<House> {
  const gateway = await echoGateway(options)
  const loaded = await loadConfig(gateway.config, {})
  const settings = options.change?.(loaded) ?? loaded
  const room = new FakeRoom()
  const lines = new LogLines()
  let proved = 0
  const log = new Log(pino({ base: {} }, lines))
  const desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const sessions = new GatewaySessions({
    settings,
    policies: { current: await loadPolicy(settings) },
    doorkeeper: new Doorkeeper({
      identities: settings.identities,
      accessKeys: new AccessKeys(new FolderRecords(placesIn(gateway.dataDir).accessKeys)),
      blocked: new BlockedSubjects(new FolderRecords(placesIn(gateway.dataDir).blocked)),
      jwt: await JwtProver.open([]),
      onDenied: () => undefined,
    }),
    room,
    approvals: desk,
    desk,
    access: new AccessWatch(desk, (error) => assert.fail(String(error))),
    proofs: new ProofWatch(
      async () => undefined,
      (error) => assert.fail(String(error)),
    ),
    keys: { binding: Buffer.alloc(32, 1), fingerprint: Buffer.alloc(32, 2) },
    cancels: new Cancels(0),
    budgets: new OwnBudgets(Date.now),
    log,
    env: {},
  })
  const onProved = (): void => {
    proved += 1
  }
  const door = sessions.at({
    tls,
    client: '192.0.2.7:4711',
    onProved,
    awaiting: () => ({ [Symbol.dispose]: () => undefined }),
    refused: () => undefined,
  })
  const usual: Knock = {
    protocol: 'echo',
    client: 'said by itself',
    secret: gateway.keys.agent,
    target: 'parrot',
    claims: {},
  }
  return {
    gateway,
    room,
    log: lines,
    proved: () => proved,
    sessions,
    open: (knock = {}, signal = never) => door.open({ ...usual, ...knock }, signal),
    join: (run) => door.join(usual, run, (session) => session, never),
    [Symbol.asyncDispose]: async () => {
      desk[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

async function refusedWith(code: ErrorCode, work: Promise<unknown>): Promise<string> {
  let message = ''
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ApplianceError)
    assert.equal(error.code, code)
    message = error.message
    return true
  })
  return message
}

test('a proved knock opens a session whose tape knows who, where, from where and under which policy', async () => {
  await using made = await house()
  {
    await using session = await made.open({ claims: { application_name: 'probe' } })
    assert.equal(session.identity.subject, 'agent-7')
    assert.equal(session.info.client, '192.0.2.7:4711', 'the listener knows better than the protocol')
    assert.match(session.info.policy, /^[0-9a-f]{64}$/)
    assert.deepEqual(session.info.claims, { application_name: 'probe' })
    assert.equal((await session.credential()).user, 'nobody')
    assert.equal(made.sessions.size, 1)
    session.closing('closed by the client')
    session.closing('something later')
  }
  assert.deepEqual(made.room.seals, ['closed by the client'])
  assert.equal(made.sessions.size, 0)
})

test('who has proved themselves is no stranger any more while the tape is begun, however long the store takes', async () => {
  await using made = await house()
  let before = 0
  made.room.onOpen = () => {
    before = made.proved()
  }
  await refusedWith('AUTH_DENIED', made.open({ secret: 'nobody' }))
  assert.equal(made.proved(), 0)
  await using _session = await made.open()
  assert.equal(before, 1)
})

test('what the client says of itself is masked before it reaches the tape, and used as it is', async () => {
  await using made = await house()
  await using session = await made.open({ database: 'ana@example.org', claims: { application_name: 'for ana@example.org' } })
  assert.equal(JSON.stringify(made.room.starts).includes('ana@example.org'), false)
  assert.match(session.info.claims['application_name'] ?? '', /^for \[MASKED:email/)
  assert.equal(session.target.database, 'ana@example.org')
})

test('unknown targets, forbidden ones and those of another protocol are told apart by nobody', async () => {
  await using made = await house()
  const unknown = await refusedWith('TARGET_UNKNOWN', made.open({ target: 'nosuch' }))
  const forbidden = await refusedWith('TARGET_UNKNOWN', made.open({ secret: made.gateway.keys.outsider }))
  const other = await refusedWith('TARGET_UNKNOWN', made.open({ protocol: 'postgres' }))
  assert.equal(unknown.replace('nosuch', 'parrot'), other)
  assert.equal(forbidden.replace('eve', 'agent-7'), other)
  assert.equal(made.room.starts.length, 0, 'no tape for who never came in')
})

test('sessions are limited in all and per identity, and a place is given back when its session ends', async () => {
  await using made = await house({ limits: { sessions: 3, sessionsPerIdentity: 2 } })
  const first = await made.open()
  const second = await made.open()
  await refusedWith('LIMIT_REACHED', made.open())
  await first[Symbol.asyncDispose]()
  const third = await made.open()
  made.room.failOpen = true
  await second[Symbol.asyncDispose]()
  await refusedWith('RECORDER_FAILED', made.open())
  const [told] = made.log.lines.filter(({ msg }) => msg === 'session not opened: it cannot be recorded')
  assert.deepEqual(
    [told?.['subject'], told?.['target'], told?.['client'], told?.['code']],
    ['agent-7', 'parrot', '192.0.2.7:4711', 'RECORDER_FAILED'],
  )
  made.room.failOpen = false
  const fourth = await made.open()
  await third[Symbol.asyncDispose]()
  await fourth[Symbol.asyncDispose]()
  assert.equal(made.sessions.size, 0)
})

test('shared sessions that nobody is in give way at a limit, the idlest first; those somebody is in do not', async () => {
  for (const limit of ['sessions', 'sessionsPerIdentity']) {
    await using made = await house({ limits: { [limit]: 3 } })
    const busy = await made.join('busy')
    const second = await made.join('second')
    const idlest = await made.join('idlest')
    const ids = [idlest.session.id, second.session.id]
    idlest[Symbol.dispose]()
    second[Symbol.dispose]()
    await made.open()
    const atOnce = await Promise.allSettled([made.open(), made.open()])
    assert.deepEqual(atOnce.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const sealed = made.log.lines.filter(({ msg }) => msg === 'session sealed').map(({ session }) => session)
    assert.deepEqual(sealed, ids)
    assert.deepEqual(made.room.seals, Array(2).fill('idle: another session needed its place'))
    assert.equal(made.sessions.size, 3)
    assert.equal(busy.session.signal.aborted, false)
    await refusedWith('LIMIT_REACHED', made.join('one more'))
    busy[Symbol.dispose]()
    using again = await made.join('one more')
    assert.equal(again.session.signal.aborted, false)
  }
})

test('whoever is written in capitals has places that give way too', async () => {
  const change = (settings: Settings): Settings => ({
    ...settings,
    identities: settings.identities.map((each) => ({ ...each, subject: each.subject.toUpperCase() })),
  })
  await using made = await house({ limits: { sessionsPerIdentity: 1 }, change })
  const idle = await made.join('idle')
  idle[Symbol.dispose]()
  await using session = await made.open()
  assert.equal(session.identity.subject, 'AGENT-7')
  assert.deepEqual(made.room.seals, ['idle: another session needed its place'])
})

test('a run whose session gave way goes on in a new one', async () => {
  await using made = await house({ limits: { sessionsPerIdentity: 1 } })
  const first = await made.join('run')
  first[Symbol.dispose]()
  const other = await made.open()
  await refusedWith('LIMIT_REACHED', made.join('run'))
  await other[Symbol.asyncDispose]()
  using second = await made.join('run')
  assert.notEqual(second.session.id, first.session.id)
})

test('an identity begins so many sessions in a minute and no more; another is not concerned', async () => {
  await using made = await house({ limits: { sessionStartsPerIdentity: 2 } })
  for (let count = 0; count < 2; count += 1) await (await made.open())[Symbol.asyncDispose]()
  await assert.rejects(made.open(), /begun 2 sessions within a minute.*try again in \d+ s/)
  assert.equal(made.sessions.size, 0)
})

test('knocks at once cannot slip past the limit together', async () => {
  await using made = await house({ limits: { sessionsPerIdentity: 2 } })
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => made.open()))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 2)
})

test('a recorder that fails ends the session with a reason the client can be told', async () => {
  await using made = await house()
  await using session = await made.open()
  const wire = new EchoWire()
  const gate = session.gate(wire)
  made.room.failAppend = true
  const passing = gate.pass(wire.receive('client', echoFrame(0, 'hello')), session.signal)
  await assert.rejects(passing.next(), { code: 'RECORDER_FAILED' })
  assert.equal(session.signal.aborted, true)
  assert.match(session.signal.reason.message, /can no longer be recorded/)
})

test('a session that cannot be recorded is told to the log once, whatever else of it fails', async () => {
  await using made = await house()
  const session = await made.open()
  made.room.failAppend = true
  made.room.failSeal = true
  for (const kind of ['one', 'another']) await assert.rejects(session.note(kind, {}), { code: 'RECORDER_FAILED' })
  await session[Symbol.asyncDispose]()
  const told = made.log.lines.filter(({ msg }) => String(msg).startsWith('recording failed'))
  assert.deepEqual(
    told.map((line) => line['session']),
    ['s-1'],
  )
})

test('a tape that cannot be sealed gives its place back and throws at nobody', async () => {
  await using made = await house({ limits: { sessionsPerIdentity: 1 } })
  const session = await made.open()
  made.room.failSeal = true
  await session[Symbol.asyncDispose]()
  assert.equal(made.sessions.size, 0)
  made.room.failSeal = false
  await (await made.open())[Symbol.asyncDispose]()
})

test('ending from outside aborts the signal with the first reason, and seals with it', async () => {
  await using made = await house()
  const session = await made.open()
  session.end({ why: 'failed', message: 'an operator ended it', rules: [] })
  session.end({ why: 'expired', message: 'too late', rules: [] })
  assert.equal(session.signal.reason.message, 'an operator ended it')
  await session[Symbol.asyncDispose]()
  assert.deepEqual(made.room.seals, ['failed: an operator ended it'])
})

test('a shutdown ends what is open and refuses what comes', async () => {
  await using made = await house()
  const session = await made.open()
  made.sessions.endAll({ why: 'failed', message: 'shutting down', rules: [] })
  assert.equal(session.signal.reason.message, 'shutting down')
  await refusedWith('LIMIT_REACHED', made.open())
  await session[Symbol.asyncDispose]()
})

test('a client that left is given no tape; one that left while its tape was opened leaves it sealed', async () => {
  await using made = await house()
  await refusedWith('PROTOCOL_TIMEOUT', made.open({}, AbortSignal.abort()))
  assert.equal(made.room.starts.length, 0)
  const left = new AbortController()
  made.room.onOpen = () => left.abort()
  await refusedWith('PROTOCOL_TIMEOUT', made.open({}, left.signal))
  assert.equal(made.sessions.size, 0)
  assert.equal(made.room.seals.length, 1)
})

test('an idle session is ended; each recorded message gives it more time', async () => {
  await using made = await house({ limits: { idleTimeoutMs: 1_000 } })
  await using session = await made.open()
  const ended = new Promise((resolve) =>
    session.signal.addEventListener('abort', () => resolve(session.signal.reason.why), { once: true }),
  )
  await session.note('probe', {})
  assert.equal(await ended, 'expired')
})

test('the credential is read when it is needed: a rotated file counts, a lost one is told without its name', async () => {
  const secret = (folder: string): string => join(folder, 'password')
  await using made = await house({
    change: (settings) => {
      const parrot = settings.targets.get('parrot')
      assert.ok(parrot !== undefined)
      return {
        ...settings,
        targets: new Map([
          ['parrot', { ...parrot, credential: { ...parrot.credential, password: { file: 'secrets/password' } } }],
        ]),
      }
    },
  })
  const folder = join(made.gateway.folder, 'secrets')
  await mkdir(folder)
  await using session = await made.open()
  const message = await refusedWith('TARGET_REFUSED', session.credential())
  assert.equal(message.includes('secrets'), false)
  await writeFile(secret(folder), 'first\n')
  assert.equal((await session.credential()).password, 'first')
  await writeFile(secret(folder), 'second\n')
  assert.equal((await session.credential()).password, 'second')
  assert.equal((await readFile(secret(folder), 'utf8')).trim(), 'second')
})
