import { readdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'

/** What every benchmark module exports: measures, interleaved against its references in the same run, and tells. */
interface Benchmark {
  bench(options: { readonly rounds: number; readonly only?: string; readonly progress: (line: string) => void }): Promise<object>
  render?(result: object): string
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
})
const names = (await readdir(import.meta.dirname)).filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3))
// What has a hyphen in its name is a part of a benchmark.
const known = names.filter((name) => !['main', 'support'].includes(name) && !name.includes('-')).sort()
const [name] = positionals
const rounds = Number(values.rounds)

if (values.help || name === undefined || !known.includes(name) || !Number.isInteger(rounds) || rounds < 1) {
  const usage = `usage: npm run bench -- <${known.join(' | ')}> [--rounds N] [--only PART,...] [--json]\n\nSubjects are interleaved in one run; medians, as ratios to a reference measured beside them.\n`
  ;(values.help ? process.stdout : process.stderr).write(usage)
  process.exitCode = values.help ? 0 : 2
} else {
  const benchmark = (await import(`./${name}.ts`)) as Benchmark
  const result = await benchmark.bench({
    rounds,
    ...(values.only === undefined ? {} : { only: values.only }),
    progress: (line) => process.stderr.write(`${line}\n`),
  })
  const text = values.json || benchmark.render === undefined ? JSON.stringify(result, null, 2) : benchmark.render(result)
  process.stdout.write(`${text}\n`)
}
