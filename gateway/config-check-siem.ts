import type { Config } from '../schemas/config.ts'
import type { SecretSource } from '../schemas/config-parts.ts'
import type { SummaryConfig } from '../schemas/config-summary.ts'
import type { Problem } from './config-check.ts'
import { isSafe } from './config-check-approvals.ts'

/** What in a well-formed `siem`, `traces` or `summary` could not be done as it stands. */
export function siemProblems({ siem = [], traces, summary, console: web }: Config): Problem[] {
  const clear = traces !== undefined && !isSafe(traces.otlp.url)
  const traced = clear
    ? [{ at: ['traces', 'otlp', 'url'], message: 'spans would go in clear: https, or a loopback address' }]
    : []
  return siem
    .flatMap((each, index) => {
      const problems: Problem[] = []
      if (siem.findIndex(({ name }) => name === each.name) < index)
        problems.push({ at: ['siem', index, 'name'], message: `${each.name} stands here twice` })
      const [kind, member, url] =
        'webhook' in each
          ? ['webhook', 'url', each.webhook.url]
          : 'otlp' in each
            ? ['otlp', 'url', each.otlp.url]
            : 'logsIngestion' in each
              ? ['logsIngestion', 'endpoint', each.logsIngestion.endpoint]
              : ['', '', undefined]
      if (typeof url === 'string' && !isSafe(url))
        problems.push({ at: ['siem', index, kind, member], message: 'entries would go in clear: https, or a loopback address' })
      return problems
    })
    .concat(traced, summaryProblems(summary, web !== undefined))
}

function summaryProblems(summary: SummaryConfig | undefined, asked: boolean): Problem[] {
  if (summary === undefined) return []
  const clear = { at: ['summary', 'url'], message: 'what people did would go in clear: https, or a loopback address' }
  const unasked = { at: ['summary'], message: 'summaries are asked for at the console, and there is none', others: [['console']] }
  const keyless = { at: ['summary', 'header'], message: 'there is no key for this header', others: [['summary', 'key']] }
  return [
    ...(isSafe(summary.url) ? [] : [clear]),
    ...(asked ? [] : [unasked]),
    ...(summary.header !== undefined && summary.key === undefined ? [keyless] : []),
  ]
}

/** Every secret that sinks, the collector of traces and the model of summaries need, and where it is named. */
export function siemSecrets({ siem = [], traces, summary }: Config): readonly Named[] {
  const source = traces?.otlp.authorization
  const own = source === undefined ? [] : [{ at: ['traces', 'otlp', 'authorization'], source }]
  return siem
    .flatMap((each, index): readonly Named[] => {
      if ('otlp' in each) {
        const { authorization } = each.otlp
        return authorization === undefined ? [] : [{ at: ['siem', index, 'otlp', 'authorization'], source: authorization }]
      }
      if (!('webhook' in each)) return []
      const { url, secret } = each.webhook
      return [
        { at: ['siem', index, 'webhook', 'secret'], source: secret },
        ...(typeof url === 'string' ? [] : [{ at: ['siem', index, 'webhook', 'url'], source: url }]),
      ]
    })
    .concat(own, summary?.key === undefined ? [] : [{ at: ['summary', 'key'], source: summary.key }])
}

interface Named {
  readonly at: Problem['at']
  readonly source: SecretSource
}
