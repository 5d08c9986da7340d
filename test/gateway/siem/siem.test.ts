import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { loadConfig, type Settings } from '../../../gateway/config.ts'
import { silentLog } from '../../../gateway/log.ts'
import { Metrics, metricsText } from '../../../gateway/monitoring/metrics.ts'
import { openSiem } from '../../../gateway/siem/siem.ts'
import { openLedger } from '../../../gateway/tape-room.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { clientHere } from '../../support/clients.ts'
import { configFolder, GOOD } from '../../support/config.ts'
import { selfSigned } from '../../support/pg-tls.ts'
import { type Receiver, receiver } from '../../support/receiver.ts'

const CHECKER = fileURLToPath(new URL('../../support/check_ocsf.py', import.meta.url))
const SECRET_BYTES = Buffer.alloc(24, 7)
const ENV = { SHOP_PASSWORD: 'x', HOOK: `whsec_${SECRET_BYTES.toString('base64')}`, TOKEN: 'Bearer t' }
const PACE = { lookEveryMs: 20, firstRetryMs: 10 }
const FINDING: LedgerEntry = {
  type: 'finding',
  finding: 'F-1',
  detector: 'bulk-verbs',
  version: '1',
  severity: 'high',
  sessionIds: ['s1'],
  summary: 'a | lot = much\nof it',
}
const held = (reason: string): LedgerEntry => ({ type: 'hold.set', actor: 'ada', proof: 'key:k', session: 's1', reason })

const LEAD_PACE = { renewMs: 20, stepDownMs: 10_000, deadMs: 20_000 }

interface Event {
  readonly class_uid: number
  readonly message: string
  readonly metadata: { readonly uid: string }
  readonly unmapped: { readonly index: number; readonly signed: boolean; readonly entry: { readonly reason?: string } }
}

async function rig(siem: string): Promise<
  AsyncDisposable & {
    readonly settings: Settings
    readonly path: string
    tell(...entries: LedgerEntry[]): Promise<void>
    stream(metrics?: Metrics): Promise<AsyncDisposable>
  }
> {
  const folder = await configFolder({ 'sallyport.yaml': `${GOOD}\nsiem:\n${siem}` })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, ENV)
  return {
    settings,
    path: folder.path,
    async tell(...entries) {
      const ledger = await openLedger(settings, 'gw1-cli', silentLog(), false)
      for (const entry of entries) await ledger.append(entry)
      await ledger.close()
    },
    stream: (metrics = new Metrics()) =>
      openSiem(settings, { log: silentLog(), env: ENV, metrics, pace: PACE, leadPace: LEAD_PACE }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

const hookAt = (url: string): string => `  - { name: lake, webhook: { url: ${JSON.stringify(url)}, secret: { env: HOOK } } }\n`
const eventsOf = ({ received }: Receiver, from = 0): Event[] => received.slice(from).flatMap(({ body }) => JSON.parse(body))
const reasonsOf = (events: readonly Event[]) => events.map(({ unmapped }) => unmapped.entry.reason)

test('a webhook is told signed OCSF events of what the ledger has and gets, each once over a restart', {
  timeout: 60_000,
}, async (t) => {
  await using hook = await receiver()
  await using made = await rig(hookAt(hook.url))
  await made.tell(held('one'), FINDING)
  {
    await using _stream = await made.stream()
    await hook.until(1)
    await made.tell(held('two'))
    await hook.until(2)
  }
  await made.tell(held('three'))
  {
    await using _stream = await made.stream()
    while (!reasonsOf(eventsOf(hook)).includes('three')) await hook.until(hook.received.length + 1)
  }
  // What was being told when it stopped may be told again, as the same.
  const events = [...new Map(eventsOf(hook).map((event) => [event.metadata.uid, event])).values()]
  assert.ok(eventsOf(hook).length <= events.length + 1)
  assert.deepEqual(reasonsOf(events), ['one', undefined, 'two', 'three'])
  assert.deepEqual(
    events.map(({ class_uid, unmapped }) => [class_uid, unmapped.signed, unmapped.index]),
    [
      [6003, true, 0],
      [2004, true, 1],
      [6003, true, 2],
      [6003, true, 3],
    ],
  )
  for (const { headers, body } of hook.received) {
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
    const signature = createHmac('sha256', SECRET_BYTES).update(signed).digest('base64')
    assert.equal(headers['webhook-signature'], `v1,${signature}`)
  }
  const python = clientHere(t, 'ocsf')
  if (python === undefined) return
  const input = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const ran = spawnSync(python, [CHECKER], { input, encoding: 'utf8' })
  assert.equal(ran.status, 0, ran.stderr)
  assert.equal(ran.stdout, '')
})

test('while the receiver refuses, nothing is passed over and the lag is told; batches come in order, also of a restart amidst', {
  timeout: 60_000,
}, async () => {
  await using hook = await receiver()
  await using made = await rig(hookAt(hook.url))
  const reasons = Array.from({ length: 250 }, (_, index) => `r${index}`)
  await made.tell(...reasons.map(held))
  hook.script.push(503, 429, 400, 'hang')
  {
    const metrics = new Metrics()
    await using _stream = await made.stream(metrics)
    await hook.until(4)
    const { text } = await metricsText([await metrics.json()])
    assert.match(text, /sallyport_siem_lag_seconds\{sink="lake"\} [\d.]*[1-9]/)
  }
  assert.deepEqual(new Set(hook.received.map(({ body }) => body)).size, 1, 'the same batch each time')
  const before = hook.received.length
  await using _stream = await made.stream()
  await hook.until(before + 3)
  const events = eventsOf(hook, before)
  assert.deepEqual(reasonsOf(events), reasons)
  assert.equal(new Set(events.map(({ metadata }) => metadata.uid)).size, reasons.length)
})

test('an entry of somebody else, and a line that is none, neither stop the stream nor pass for ours', {
  timeout: 60_000,
}, async () => {
  await using hook = await receiver()
  await using made = await rig(hookAt(hook.url))
  await made.tell(held('ours'))
  await using other = await configFolder({ 'sallyport.yaml': GOOD })
  const stranger = { ...(await loadConfig(`${other.path}/sallyport.yaml`, ENV)), store: made.settings.store }
  const ledger = await openLedger(stranger, 'gw1-cli', silentLog(), false)
  await ledger.append(held('theirs'))
  await ledger.close()
  await writeFile(join(made.settings.dataDir, 'ledger/seq/0000'), 'no entry\n', { flag: 'a' })
  await using _stream = await made.stream()
  await hook.until(1)
  await made.tell(held('later'))
  await hook.until(2)
  const events = eventsOf(hook)
  assert.deepEqual(
    events.map(({ unmapped }) => [unmapped.entry.reason, unmapped.signed, unmapped.index]),
    [
      ['ours', true, 0],
      ['theirs', false, 1],
      ['later', true, 3],
    ],
  )
})

test('where another ledger stands in the place of the one that was told, it is told from its beginning', {
  timeout: 60_000,
}, async () => {
  await using hook = await receiver()
  await using made = await rig(hookAt(hook.url))
  await mkdir(join(made.settings.dataDir, 'desk/siem'), { recursive: true })
  await writeFile(join(made.settings.dataDir, 'desk/siem/lake.json'), '{"object":0,"offset":100000,"index":90}')
  await made.tell(held('one'))
  await using _stream = await made.stream()
  await hook.until(1)
  assert.deepEqual(
    eventsOf(hook).map(({ unmapped }) => [unmapped.entry.reason, unmapped.index]),
    [['one', 0]],
  )
})

/** Reads to the end, then closes; connections are cut instead as long as `cut` is positive. */
async function collector(server: Server, event: string) {
  const texts: string[] = []
  const state = { cut: 0, texts, until: async (count: number) => void count }
  let wake: () => void = () => undefined
  server.on(event, (socket: Socket) => {
    socket.on('error', () => undefined)
    if (state.cut > 0) {
      state.cut -= 1
      socket.destroy()
      return
    }
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    socket.on('end', () => {
      texts.push(text)
      wake()
    })
  })
  server.on('tlsClientError', () => undefined)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  state.until = async (count) => {
    while (texts.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  const { port } = server.address() as AddressInfo // it listens on TCP
  return { ...state, state, port, [Symbol.dispose]: () => void server.close() }
}

function framesOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const frames: string[] = []
    for (let rest = Buffer.from(text); rest.length > 0; ) {
      const space = rest.indexOf(' ')
      const end = space + 1 + Number(rest.subarray(0, space).toString())
      frames.push(rest.subarray(space + 1, end).toString())
      rest = rest.subarray(end)
    }
    return frames
  })
}

test('a collector of syslog gets CEF in counted frames, again where the connection broke, over TCP and TLS', {
  timeout: 60_000,
}, async () => {
  const identity = await selfSigned()
  using plain = await collector(createServer(), 'connection')
  using secure = await collector(createTlsServer({ cert: identity.cert, key: identity.key }), 'secureConnection')
  plain.state.cut = 2
  await using folder = await configFolder({ 'ca.pem': identity.cert })
  await using made = await rig(
    `  - { name: clear, syslog: { address: "127.0.0.1:${plain.port}", tls: { mode: "off" } } }
  - { name: secure, syslog: { address: "127.0.0.1:${secure.port}", tls: { ca: ${JSON.stringify(`${folder.path}/ca.pem`)}, serverName: localhost } } }
`,
  )
  await made.tell(held('ü = \\ |\n'), FINDING, held('x'.repeat(9_000)))
  await using _stream = await made.stream()
  await Promise.all([plain.state.until(1), secure.state.until(1)])
  for (const { texts } of [plain, secure]) {
    const frames = framesOf(texts)
    assert.equal(frames.length, 3)
    assert.match(
      frames[0] ?? '',
      /^<110>1 \S+ \S+ sallyport - - - CEF:0\|Sallyport\|Sallyport\|[\d.]+\|hold\.set\|hold\.set\|2\|rt=\d+ externalId=[0-9a-f]{64} /,
    )
    assert.match(frames[0] ?? '', /suser=ada cs1Label=session cs1=s1 .*"reason":"ü \\= \\\\\\\\ \|\\\\n"/)
    assert.match(frames[1] ?? '', /^<107>1 .*\|finding\|finding\|8\|/)
    assert.match(frames[2] ?? '', /\(cut: \d+ characters\)$/)
    assert.ok(frames.every((frame) => !frame.includes('\n')))
  }
})

test('a receiver that proves to be nobody of the CA is told nothing', { timeout: 60_000 }, async () => {
  const [theirs, ours] = await Promise.all([selfSigned(), selfSigned()])
  const server = createTlsServer({ cert: theirs.cert, key: theirs.key })
  using secure = await collector(server, 'secureConnection')
  await using folder = await configFolder({ 'ca.pem': ours.cert })
  await using made = await rig(
    `  - { name: secure, syslog: { address: "127.0.0.1:${secure.port}", tls: { ca: ${JSON.stringify(`${folder.path}/ca.pem`)}, serverName: localhost } } }\n`,
  )
  await made.tell(held('one'))
  await using _stream = await made.stream()
  await once(server, 'tlsClientError')
  assert.deepEqual(secure.texts, [])
})

test('OTLP logs: records with the event; what a partial success rejects is counted and not sent again', {
  timeout: 60_000,
}, async () => {
  await using otel = await receiver()
  otel.script.push({ body: '{"partialSuccess":{"rejectedLogRecords":"1"}}' })
  await using made = await rig(`  - { name: otel, otlp: { url: "${otel.url}/v1/logs", authorization: { env: TOKEN } } }\n`)
  await made.tell(FINDING)
  const metrics = new Metrics()
  const log = silentLog()
  {
    await using _stream = await openSiem(made.settings, { log, env: ENV, metrics, pace: PACE })
    await otel.until(1)
    await made.tell(held('two'))
    await otel.until(2)
  }
  const [first, second] = otel.received
  assert.equal(first?.path, '/v1/logs')
  assert.equal(first?.headers.authorization, 'Bearer t')
  const [{ resource, scopeLogs }] = JSON.parse(first?.body ?? '').resourceLogs
  assert.deepEqual(resource.attributes[0], { key: 'service.name', value: { stringValue: 'sallyport' } })
  const [record] = scopeLogs[0].logRecords
  assert.equal(record.severityNumber, 17)
  assert.equal(JSON.parse(record.body.stringValue).class_uid, 2004)
  assert.equal(JSON.parse(second?.body ?? '').resourceLogs[0].scopeLogs[0].logRecords.length, 1)
})

test('a secret of the wrong form, an address in clear and a name that stands twice are refused at the start', async () => {
  await using made = await rig(hookAt('https://siem.example/'))
  const env = { ...ENV, HOOK: 'hunter2' }
  await assert.rejects(openSiem(made.settings, { log: silentLog(), env, metrics: new Metrics() }), { code: 'CONFIG_INVALID' })
  await assert.rejects(rig(hookAt('http://siem.example/')), { code: 'CONFIG_INVALID', message: /in clear/ })
  await assert.rejects(rig(hookAt('https://siem.example/').repeat(2)), {
    code: 'CONFIG_INVALID',
    message: /lake stands here twice/,
  })
})

test('of several gateways one tells; when it goes another goes on from there', { timeout: 60_000 }, async () => {
  await using hook = await receiver()
  await using made = await rig(hookAt(hook.url))
  await made.tell(held('first'))
  const one = await made.stream()
  await hook.until(1)
  await using _other = await made.stream()
  await made.tell(held('second'))
  await hook.until(2)
  await one[Symbol.asyncDispose]()
  await made.tell(held('third'))
  while (!reasonsOf(eventsOf(hook)).includes('third')) await hook.until(hook.received.length + 1)
  // What was being told when it stopped may be told again, as the same.
  const events = new Map(eventsOf(hook).map((event) => [event.metadata.uid, event]))
  assert.deepEqual(reasonsOf([...events.values()]), ['first', 'second', 'third'])
  assert.ok(eventsOf(hook).length <= events.size + 1)
})
