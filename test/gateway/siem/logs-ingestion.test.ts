import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig, type Settings } from '../../../gateway/config.ts'
import { silentLog } from '../../../gateway/log.ts'
import { Metrics } from '../../../gateway/monitoring/metrics.ts'
import { openSiem } from '../../../gateway/siem/siem.ts'
import { openLedger } from '../../../gateway/tape-room.ts'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { startIdentityEndpoint, withEnv } from '../../support/azure-identity.ts'
import { configFolder, GOOD } from '../../support/config.ts'
import { receiver } from '../../support/receiver.ts'

const ENV = { SHOP_PASSWORD: 'x' }
const RULE = `dcr-${'0123456789abcdef'.repeat(2)}`
const CLIENT = '99999999-8888-7777-6666-555555555555'

function sink(endpoint: string, name = 'sentinel'): string {
  return `  - name: ${name}
    logsIngestion: { endpoint: "${endpoint}", rule: ${RULE}, stream: Microsoft-ASimAuditEventLogs, clientId: ${CLIENT} }
`
}

async function tell(settings: Settings, ...entries: readonly LedgerEntry[]): Promise<void> {
  const ledger = await openLedger(settings, 'gw1-cli', silentLog(), false)
  for (const entry of entries) await ledger.append(entry)
  await ledger.close()
}

const held = (reason: string): LedgerEntry => ({ type: 'hold.set', actor: 'ada', proof: 'key:k', session: 's1', reason })

interface Told {
  readonly EventSchema: string
  readonly Operation: string
  readonly EventOriginalUid: string
  readonly AdditionalFields: { readonly entry: { readonly reason?: string } }
}

test('Azure Monitor is told ASIM records by the managed identity, again after a refusal and from where it was over a restart, and nothing is passed over', {
  timeout: 60_000,
}, async () => {
  await using identity = await startIdentityEndpoint()
  using _env = withEnv(identity.env)
  await using monitor = await receiver()
  await using folder = await configFolder({ 'sallyport.yaml': `${GOOD}\nsiem:\n${sink(monitor.url)}` })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, ENV)
  const pace = { lookEveryMs: 20, firstRetryMs: 10 }
  const stream = () => openSiem(settings, { log: silentLog(), env: ENV, metrics: new Metrics(), pace })
  monitor.script.push({ status: 429, headers: { 'retry-after': '0' } }, { status: 204, body: '' })
  await tell(settings, held('one'), { type: 'auth.fail', since: '2026-11-20T10:51:50.000Z', count: 3, by: [], others: 3 })
  {
    await using _stream = await stream()
    await monitor.until(2)
  }
  await tell(settings, held('two'))
  {
    await using _stream = await stream()
    while (!monitor.received.some(({ body }) => body.includes('"two"'))) await monitor.until(monitor.received.length + 1)
  }
  const [refused, taken, ...later] = monitor.received
  assert.equal(refused?.body, taken?.body, 'the same again')
  assert.equal(taken?.path, `/dataCollectionRules/${RULE}/streams/Microsoft-ASimAuditEventLogs?api-version=2023-01-01`)
  assert.match(taken?.headers.authorization ?? '', /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/)
  assert.deepEqual([...new Set(identity.asked)], [`https://monitor.azure.com/ ${CLIENT}`])
  const records = [taken, ...later].flatMap((one): readonly Told[] => JSON.parse(one?.body ?? '[]'))
  const once = [...new Map(records.map((record) => [record.EventOriginalUid, record])).values()]
  assert.deepEqual(
    once.map(({ EventSchema, Operation, AdditionalFields }) => [EventSchema, Operation, AdditionalFields.entry.reason]),
    [
      ['AuditEvent', 'hold.set', 'one'],
      ['AuditEvent', 'auth.fail', undefined],
      ['AuditEvent', 'hold.set', 'two'],
    ],
  )
})

test('an endpoint in clear and a rule that is none are refused at the start', async () => {
  const load = async (text: string): Promise<unknown> => {
    await using folder = await configFolder({ 'sallyport.yaml': `${GOOD}\nsiem:\n${text}` })
    // Awaited here: nobody hears of a refusal while the folder is removed.
    return await loadConfig(`${folder.path}/sallyport.yaml`, ENV)
  }
  await assert.rejects(load(sink('http://x.ingest.monitor.azure.com')), { code: 'CONFIG_INVALID', message: /in clear/ })
  await assert.rejects(load(sink('https://x.ingest.monitor.azure.com').replace(RULE, 'my-rule')), { code: 'CONFIG_INVALID' })
})
