import { request } from 'node:http'
import { ApplianceError } from '../../schemas/errors.ts'

/** What a gateway with many targets answers is some 30 KiB. */
const MAX_ANSWER_SIZE = 4 << 20
const TIMEOUT_MS = 5_000
const SAMPLE = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/
const LABEL = /([a-z_]+)="([^"\\]*)"/g

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
/** By name. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

/** The text format of Prometheus as our own gateways write it; other lines are passed over. */
export function readMetrics(text: string): Samples {
  const samples = new Map<string, Sample[]>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    if (name === undefined) continue
    const sample = {
      labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, text = '']) => [key, text])),
      value: Number(value),
    }
    const known = samples.get(name)
    if (known === undefined) samples.set(name, [sample])
    else known.push(sample)
  }
  return samples
}

/** The sum of those that have these labels; 0 where there are none. */
export function sumOf(samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels)
  return (samples.get(name) ?? [])
    .filter((each) => wanted.every(([key, value]) => each.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

/** What `/metrics` of a gateway says. Rejects API_FAILED where none answers. */
export function askMetrics(base: URL, signal: AbortSignal): Promise<Samples> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): void =>
      reject(new ApplianceError('API_FAILED', `no monitoring answers at ${base.host} (${why})`))
    const asking = request(new URL('/metrics', base), { timeout: TIMEOUT_MS, signal }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_ANSWER_SIZE) asking.destroy(new Error('the answer is too long'))
        else chunks.push(chunk)
      })
      response.on('error', (error) => failed(error.message))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(readMetrics(Buffer.concat(chunks).toString('utf8')))
        else failed(`status ${response.statusCode}`)
      })
    })
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    asking.on('error', (error) => failed(error.message === '' ? error.name : error.message))
    asking.end()
  })
}
