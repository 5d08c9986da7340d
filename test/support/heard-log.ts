import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import { Log } from '../../gateway/log.ts'
import { Metrics } from '../../gateway/monitoring/metrics.ts'

interface HeardLog {
  readonly log: Log
  readonly lines: readonly { readonly code?: string; readonly why?: string; readonly msg: string }[]
  /** How many requests were refused with this code. */
  counted(code: string): Promise<number>
}

/** A log whose lines and numbers are looked at. */
export function heardLog(): HeardLog {
  const lines: HeardLog['lines'][number][] = []
  const to = new PassThrough().on('data', (line: Buffer) => lines.push(JSON.parse(line.toString())))
  const metrics = new Metrics()
  const counted = async (code: string): Promise<number> => {
    const all: readonly { name: string; values: { value: number; labels: { code: string } }[] }[] = JSON.parse(
      JSON.stringify(await metrics.json()),
    )
    const { values } = all.find(({ name }) => name === 'sallyport_requests_refused_total') ?? { values: [] }
    return values.find(({ labels }) => labels.code === code)?.value ?? 0
  }
  return { lines, counted, log: new Log(pino({ level: 'info' }, to), { metrics }) }
}
