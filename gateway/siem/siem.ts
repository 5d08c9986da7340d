import { readFile } from 'node:fs/promises'
import { tokensOf } from '../../recorder/azure/identity.ts'
import { Lead, type LeadParts } from '../../recorder/desk/lead.ts'
import { openStore, readGatewayKeys } from '../../recorder/index.ts'
import { isWebhookSecret } from '../../recorder/notify/webhook.ts'
import type { SiemConfig } from '../../schemas/config-siem.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { addressOf, type Settings } from '../config.ts'
import { readSecret } from '../credentials/upstream.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { placesIn } from '../places.ts'
import { openShared, type Shared } from '../shared.ts'
import { logsIngestionSink, otlpSink, webhookSink } from './http-sinks.ts'
import { SiemStream, type Sink, type StreamParts } from './stream.ts'
import { syslogSink } from './syslog-sink.ts'

type Where = Pick<Settings, 'siem' | 'gateway' | 'from' | 'store' | 'dataDir' | 'shared'>

interface SiemParts {
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  readonly metrics: Metrics
  /** What it agrees on with others; without it, its own. */
  readonly shared?: Shared
  readonly pace?: Pick<StreamParts, 'lookEveryMs' | 'firstRetryMs'>
  readonly leadPace?: LeadParts['pace']
}

/**
 * Begins to tell the ledger to every configured sink: one gateway does so for all that share a desk. In the primary process only. Rejects
 * CONFIG_INVALID where a secret is of no use.
 */
export async function openSiem(
  settings: Where,
  { log, env, metrics, shared: given, pace = {}, leadPace }: SiemParts,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { keys } = placesIn(settings.dataDir)
  const sinks = await Promise.all(settings.siem.map((each) => sinkOf(each, settings, env, log)))
  if (sinks.length === 0) return stack.move()
  const shared = given ?? stack.use(await openShared(settings, env, (error) => log.stray(error)))
  const told = stack.use(shared.records('siem'))
  const streams = new Map<string, SiemStream>()
  const open = async (sink: Sink): Promise<SiemStream> => {
    const { name } = sink
    return SiemStream.open({
      source: await openStore(settings.store),
      trusted: () => readGatewayKeys(keys),
      sink,
      told,
      onTold: (count) => metrics.count('siem_entries_told', { sink: name }, count),
      onOtherLedger: () => log.warned(`siem ${name}: the ledger is another than was told before; it is told from its beginning`),
      onFailed: (error, facts) => log.siemFailed({ sink: name, ...facts }, error),
      ...pace,
    })
  }
  metrics.readLags(() => new Map([...streams].map(([name, { lagSeconds }]) => [name, lagSeconds] as const)))
  const begin = async (): Promise<AsyncDisposable> => {
    await using opened = new AsyncDisposableStack()
    opened.defer(() => streams.clear())
    for (const sink of sinks) streams.set(sink.name, opened.use(await open(sink)))
    return opened.move()
  }
  stack.use(
    new Lead(
      {
        records: stack.use(shared.records('leads')),
        role: 'siem',
        onError: (error) => log.stray(error),
        onLead: (leads) => log.leads('siem', leads),
        ...(leadPace === undefined ? {} : { pace: leadPace }),
      },
      begin,
    ),
  )
  return stack.move()
}

async function sinkOf(each: SiemConfig[number], { gateway, from }: Where, env: NodeJS.ProcessEnv, log: Log): Promise<Sink> {
  const { name } = each
  if ('webhook' in each) {
    const { url } = each.webhook
    const secret = await readSecret(each.webhook.secret, from, env)
    if (!isWebhookSecret(secret))
      throw new ApplianceError('CONFIG_INVALID', `siem ${name}: the secret is not whsec_ and base64 of 24 to 64 bytes`)
    return webhookSink(name, { url: typeof url === 'string' ? url : await readSecret(url, from, env), secret })
  }
  if ('otlp' in each) {
    const { url, authorization } = each.otlp
    return otlpSink(name, {
      url,
      gateway,
      onRejected: (count) => log.siemRejected(name, count),
      authorization: authorization === undefined ? undefined : await readSecret(authorization, from, env),
    })
  }
  if ('logsIngestion' in each) {
    const { endpoint, rule, stream, identity = 'managed', clientId } = each.logsIngestion
    const tokens = await tokensOf({ kind: identity, ...(clientId === undefined ? {} : { clientId }) })
    return logsIngestionSink(name, { endpoint, rule, stream, tokens })
  }
  const { address, tls: { mode = 'verify', ca, serverName } = {} } = each.syslog
  const tls = {
    ...(ca === undefined ? {} : { ca: await readFile(from(ca), 'utf8') }),
    ...(serverName === undefined ? {} : { serverName }),
  }
  return syslogSink(name, { ...addressOf(address), tls: mode === 'off' ? undefined : tls })
}
