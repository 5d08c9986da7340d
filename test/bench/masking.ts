import { Masker } from '../../gateway/masking/masker.ts'
import { ownDetectors } from '../../gateway/masking/own.ts'
import { compilePattern } from '../../gateway/masking/pattern/pattern.ts'
import { DEFAULT_RULES } from '../../gateway/masking/rules.ts'
import type { Field, RedactionSink } from '../../gateway/message.ts'
import {
  type Corpus,
  canaryOf,
  cleanRow,
  corpusOf,
  HOSTILE_UNITS,
  hostileCorpus,
  logLines,
  mixedRow,
  piiRow,
} from '../gateway/masking/corpora.ts'

/** Large enough to leave the caches, small enough that the regular expressions are done within seconds. */
const CORPUS_SIZE = 2 << 20
const HOSTILE_SIZE = 1 << 20

interface Row {
  readonly corpus: string
  readonly averageFieldSize: number
  /** Megabytes (10^6 bytes) of input per second of processor time, median of the rounds. */
  readonly engineMBps: number
  readonly regexMBps: number | null
  /** Engine over regular expressions, in the same rounds. */
  readonly ratio: number | null
  /** Fields changed by the engine in one pass. */
  readonly maskedFields: number
}

/** The obvious way, for comparison: one expression per kind of value over each field as a string. Not run on hostile input. */
const NAIVE: readonly RegExp[] = [
  /[\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
  /\b\d{3}-\d{2}-\d{4}\b/g,
  /\b(?:\d[ -]?){12,18}\d\b/g,
  /\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b/g,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/g,
  /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g,
  /\b(?:gh[pousr]_|xox[abp]-|sk_live_|npm_)\w{10,}/g,
  /:\/\/[^\s:@/]{1,64}:[^\s@/]{1,64}@/g,
  /(?:password|passwd|secret|token|api_?key)["']?\s{0,3}[:=]\s{0,3}["']?[^\s"']{4,64}/i,
]

/** Every corpus carries a canary: a run that lets it through, or flags a clean one, throws. */
export async function bench(options: { readonly rounds: number; readonly progress: (line: string) => void }): Promise<object> {
  const patterned = corpusOf('clean table, with three patterns of the policy', CORPUS_SIZE, cleanRow, false)
  const corpora: readonly Corpus[] = [
    corpusOf('clean table, cell by cell', CORPUS_SIZE, cleanRow, false),
    patterned,
    corpusOf('half of the columns personal', CORPUS_SIZE, mixedRow, true),
    corpusOf('every cell personal', CORPUS_SIZE, piiRow, true),
    corpusOf('log lines', CORPUS_SIZE, logLines, false),
    ...HOSTILE_UNITS.map((unit) => hostileCorpus(unit, HOSTILE_SIZE)),
  ]
  const keys = { tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16) }
  const masker = new Masker({ rules: DEFAULT_RULES, ...keys })
  const own = ownDetectors(
    ['\\bEMP-[0-9]{6}\\b', '(?:cust|acct)_[a-z0-9]{8,}', '[a-z]{2,20}-internal-\\d{3}'].map((regex, index) => ({
      id: `p${index}`,
      entity: 'own',
      compiled: compilePattern({ regex }),
    })),
  )
  const withPatterns = new Masker({ rules: { ...DEFAULT_RULES, own }, ...keys })
  const field: Field = { path: 'row.cell', action: 'scan' }
  const engine = new Map<Corpus, number[]>()
  const regex = new Map<Corpus, number[]>()
  const masked = new Map<Corpus, number>()
  for (let round = 0; round <= options.rounds; round++) {
    options.progress(`masking: round ${round} of ${options.rounds}`)
    for (const corpus of corpora) {
      const { seconds, fields } = runEngine(corpus === patterned ? withPatterns : masker, field, corpus)
      const reference = corpus.isHostile ? undefined : runRegex(corpus)
      masked.set(corpus, fields)
      if (round === 0) continue // the compiler's round
      engine.set(corpus, [...(engine.get(corpus) ?? []), corpus.bytes.length / 1e6 / seconds])
      if (reference !== undefined) regex.set(corpus, [...(regex.get(corpus) ?? []), corpus.bytes.length / 1e6 / reference])
    }
  }
  const rows = corpora.map((corpus): Row => {
    const speeds = engine.get(corpus) ?? []
    const references = regex.get(corpus)
    return {
      corpus: corpus.name,
      averageFieldSize: Math.round((10 * corpus.bytes.length) / (corpus.edges.length - 1)) / 10,
      engineMBps: Math.round(median(speeds)),
      regexMBps: references === undefined ? null : Math.round(median(references)),
      ratio:
        references === undefined
          ? null
          : Math.round(10 * median(speeds.map((speed, i) => speed / (references[i] ?? speed)))) / 10,
      maskedFields: masked.get(corpus) ?? 0,
    }
  })
  const hostile = rows.filter((_, i) => corpora[i]?.isHostile)
  const worst = hostile.reduce((slowest, row) => (row.engineMBps < slowest.engineMBps ? row : slowest))
  return { rounds: options.rounds, canariesLeaked: 0, rows, worstHostile: { corpus: worst.corpus, engineMBps: worst.engineMBps } }
}

export function render(result: object): string {
  const { rows } = result as { readonly rows: readonly Row[] } // what `bench` returns
  const lines = rows.map((row) =>
    [
      row.corpus.padEnd(46),
      String(row.engineMBps).padStart(7),
      String(row.regexMBps ?? '-').padStart(7),
      String(row.ratio ?? '-').padStart(7),
    ].join(' '),
  )
  return [
    'corpus                                         engine   regex   ratio  (MB per second of processor time)',
    ...lines,
  ].join('\n')
}

/** Fields sifted at once: as many as a full read brings. */
const RUN_SIZE = 64 << 10

/**
 * As a protocol does it: a read's fields are sifted, those held back asked for with `clean`, and written where that says no; what lies between is copied
 * in one piece. A read in which nothing is found goes on as it is, and so does the way to it from the last field held back. Then the output is
 * searched for the canary.
 */
function runEngine(masker: Masker, field: Field, corpus: Corpus): { readonly seconds: number; readonly fields: number } {
  const { bytes, edges } = corpus
  const output: Uint8Array[] = []
  let fields = 0
  const start = process.cpuUsage()
  for (let first = 0; first + 1 < edges.length; ) {
    const runFrom = edges[first] ?? 0
    let last = first + 1
    while (last + 1 < edges.length && (edges[last] ?? 0) - runFrom < RUN_SIZE) last++
    const runTo = edges[last] ?? 0
    const sieve = masker.sieve(bytes, runFrom, runTo)
    for (let i = first; sieve !== undefined && i < last; i++) sieve.add(edges[i] ?? 0, edges[i + 1] ?? 0)
    const suspects = sieve?.suspects()
    let sink: RedactionSink | undefined
    let kept = runFrom
    for (let i = first, next = 0; i < last; i++) {
      const from = edges[i] ?? 0
      const to = edges[i + 1] ?? 0
      if (suspects !== undefined) {
        if (next === suspects.length) break
        if (suspects[next] !== from) continue
      }
      const suspect = suspects === undefined ? -1 : next
      if (suspects !== undefined) {
        const progress = masker.writeSuspects(
          () => {
            sink ??= masker.sink(runTo - runFrom)
            sink.copy(bytes, kept, from)
            return sink
          },
          from,
          next,
        )
        if (progress !== undefined) {
          fields += progress.next - next
          kept = progress.at
          next = progress.next
          continue
        }
      }
      next++
      if (masker.clean(bytes, from, to, field, suspect)) continue
      sink ??= masker.sink(runTo - runFrom)
      sink.copy(bytes, kept, from)
      masker.write(sink, bytes, from, to, field, suspect)
      kept = to
      fields++
    }
    if (sink === undefined) output.push(bytes.subarray(runFrom, runTo))
    else {
      sink.copy(bytes, kept, runTo)
      output.push(sink.finish().bytes)
    }
    first = last
  }
  const seconds = cpuSeconds(start)
  if (Buffer.concat(output).includes(canaryOf(corpus))) throw new Error(`the canary came through in "${corpus.name}"`)
  if (!corpus.isHostile && fields !== corpus.expectedFields)
    throw new Error(`${fields} fields masked in "${corpus.name}", not ${corpus.expectedFields}`)
  return { seconds, fields }
}

function runRegex(corpus: Corpus): number {
  const { bytes, edges } = corpus
  const start = process.cpuUsage()
  const output: string[] = []
  for (let i = 0; i + 1 < edges.length; i++) {
    let text = bytes.toString('latin1', edges[i], edges[i + 1])
    for (const pattern of NAIVE) text = text.replace(pattern, '[MASKED]')
    output.push(text)
  }
  const result = Buffer.from(output.join(''), 'latin1')
  const seconds = cpuSeconds(start)
  if (result.includes(canaryOf(corpus))) throw new Error(`the reference let the canary through in "${corpus.name}"`)
  return seconds
}

function cpuSeconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

if (import.meta.main) {
  const result = await bench({ rounds: 5, progress: (line) => process.stderr.write(`${line}\n`) })
  process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(result, null, 2) : render(result)}\n`)
}
