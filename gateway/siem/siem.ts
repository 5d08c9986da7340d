import { readFile } from 'node:fs/promises'
import { tokensOf } from '../../recorder/azure/identity.ts'
import { openStore, readGatewayKeys } from '../../recorder/index.ts'
import { isWebhookSecret } from '../../recorder/notify/webhook.ts'
import type { SiemConfig } from '../../schemas/config-siem.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { addressOf, type Settings } from '../config.ts'
import { readSecret } from '../credentials/upstream.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { placesIn } from '../places.ts'
import { logsIngestionSink, otlpSink, webhookSink } from './http-sinks.ts'
import { SiemStream, type Sink, type StreamParts } from './stream.ts'
import { syslogSink } from './syslog-sink.ts'

type Where = Pick<Settings, 'siem' | 'gateway' | 'from' | 'store' | 'dataDir'>
type Pace = Pick<StreamParts, 'lookEveryMs' | 'firstRetryMs'>

/** Begins to tell the ledger to every configured sink. In the primary process only. Rejects CONFIG_INVALID where a secret is of no use. */
export async function openSiem(
  settings: Where,
  {
    log,
    env,
    metrics,
    pace = {},
  }: { readonly log: Log; readonly env: NodeJS.ProcessEnv; readonly metrics: Metrics; readonly pace?: Pace },
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { keys, siem: folder } = placesIn(settings.dataDir)
  const sinks = await Promise.all(settings.siem.map((each) => sinkOf(each, settings, env, log)))
  const streams = new Map<string, SiemStream>()
  for (const sink of sinks) {
    const { name } = sink
    const stream = await SiemStream.open({
      source: await openStore(settings.store),
      trusted: () => readGatewayKeys(keys),
      sink,
      folder,
      onTold: (count) => metrics.count('siem_entries_told', { sink: name }, count),
      onOtherLedger: () => log.warned(`siem ${name}: the ledger is another than was told before; it is told from its beginning`),
      onFailed: (error, facts) => log.siemFailed({ sink: name, ...facts }, error),
      ...pace,
    })
    streams.set(name, stack.use(stream))
  }
  if (streams.size > 0) metrics.readLags(() => new Map([...streams].map(([name, { lagSeconds }]) => [name, lagSeconds] as const)))
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
