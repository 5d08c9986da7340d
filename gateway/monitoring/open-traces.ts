import type { Settings } from '../config.ts'
import { readSecret } from '../credentials/upstream.ts'
import type { Log } from '../log.ts'
import { SpanExporter } from './span-exporter.ts'
import { Traces } from './traces.ts'

const MESSAGES_PER_SECOND = 50

export interface OpenTraces extends AsyncDisposable {
  readonly traces: Traces
}

/** Where the configuration has a collector. `gateway`: the process, as tapes name it. Rejects CONFIG_INVALID where the secret is missing. */
export async function openTraces(
  { traces: config, from }: Pick<Settings, 'traces' | 'from'>,
  gateway: string,
  { log, env }: { readonly log: Log; readonly env: NodeJS.ProcessEnv },
): Promise<OpenTraces | undefined> {
  if (config === undefined) return undefined
  const { url, authorization } = config.otlp
  const exporter = new SpanExporter({
    url,
    authorization: authorization === undefined ? undefined : await readSecret(authorization, from, env),
    gateway,
    onTold: (count) => log.tracesTold(count),
    onLost: (count) => log.tracesLost(count),
    onFailed: (error, retryMs) => log.tracesFailed(error, retryMs),
    ...(config.everyMs === undefined ? {} : { everyMs: config.everyMs }),
  })
  const { ratio = 1, messagesPerSecond = MESSAGES_PER_SECOND } = config
  return {
    traces: new Traces({ ratio, messagesPerSecond, add: (span) => exporter.add(span) }),
    [Symbol.asyncDispose]: () => exporter[Symbol.asyncDispose](),
  }
}
