import { createHash } from 'node:crypto'
import packageJson from '../../package.json' with { type: 'json' }
import type { Tokens } from '../../recorder/azure/tokens.ts'
import { post } from '../../recorder/notify/post.ts'
import { signatureOf } from '../../recorder/notify/webhook.ts'
import { asimOfEntry } from '../exports/asim-entry.ts'
import { ocsfOfEntry, severityOf, type ToldEntry } from '../exports/ocsf-entry.ts'
import { attribute, rejectedOf, resourceOf, scopeOf } from '../monitoring/otlp.ts'
import type { Sink } from './stream.ts'

/** Arrays of OCSF events, signed as Standard Webhooks 1.0 says; the same batch has the same `webhook-id`. */
export function webhookSink(name: string, { url, secret }: { readonly url: string; readonly secret: string }): Sink {
  return {
    name,
    async send(batch, signal) {
      const body = JSON.stringify(batch.map((told) => ocsfOfEntry(told, packageJson.version)))
      const id = `siem-${createHash('sha256').update(body).digest('hex').slice(0, 32)}`
      const seconds = Math.floor(Date.now() / 1_000)
      const headers = {
        'content-type': 'application/json; charset=utf-8',
        'webhook-id': id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': signatureOf(secret, id, seconds, body),
      }
      await post(url, { headers, body, signal })
    },
  }
}

/** Of Azure Monitor in the public cloud; the double slash belongs to the resource's name. */
const MONITOR_SCOPE = 'https://monitor.azure.com//.default'

interface LogsIngestionPlace {
  /** Of the data collection rule, or of a data collection endpoint. */
  readonly endpoint: string
  /** The rule's immutable id. */
  readonly rule: string
  readonly stream: string
  readonly tokens: Pick<Tokens, 'getToken'>
}

/** Records of ASIM's Audit Event over Azure Monitor's Logs Ingestion API, which takes arrays of up to 1 MB; it answers once they are taken. */
export function logsIngestionSink(name: string, { endpoint, rule, stream, tokens }: LogsIngestionPlace): Sink {
  const base = endpoint.replace(/\/$/, '')
  const url = `${base}/dataCollectionRules/${rule}/streams/${encodeURIComponent(stream)}?api-version=2023-01-01`
  return {
    name,
    async send(batch, signal) {
      const { token } = await tokens.getToken(MONITOR_SCOPE, { abortSignal: signal })
      const headers = { 'content-type': 'application/json; charset=utf-8', authorization: `Bearer ${token}` }
      await post(url, { headers, body: JSON.stringify(batch.map((told) => asimOfEntry(told, packageJson.version))), signal })
    },
  }
}

interface OtlpPlace {
  readonly url: string
  readonly authorization: string | undefined
  readonly gateway: string
  /** Records that the receiver took and threw away: OTLP forbids to send them again. */
  onRejected(count: number): void
}

/** Severity numbers of OpenTelemetry by those of OCSF: INFO, INFO, INFO2, WARN, ERROR, FATAL. */
const OTLP_SEVERITY = [9, 9, 10, 13, 17, 21] as const

/** OTLP logs over HTTP in JSON; the body of a record is the OCSF event as text. */
export function otlpSink(name: string, { url, authorization, gateway, onRejected }: OtlpPlace): Sink {
  const resource = resourceOf(gateway)
  return {
    name,
    async send(batch, signal) {
      const scopeLogs = [{ scope: scopeOf('ledger'), logRecords: batch.map(recordOf) }]
      const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) }
      const answer = await post(url, { headers, body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }), signal })
      const rejected = rejectedOf(answer, 'rejectedLogRecords')
      if (rejected > 0) onRejected(rejected)
    },
  }
}

function recordOf(told: ToldEntry): unknown {
  const { uid, index, signed, statement } = told
  const severityNumber = OTLP_SEVERITY[severityOf(told)]
  const attributes = [attribute('log.record.uid', uid), attribute('sallyport.index', String(index))]
  if (!signed) attributes.push(attribute('sallyport.signed', 'false'))
  return {
    timeUnixNano: `${Date.parse(statement.at)}000000`,
    severityNumber,
    eventName: statement.type,
    body: { stringValue: JSON.stringify(ocsfOfEntry(told, packageJson.version)) },
    attributes,
  }
}
