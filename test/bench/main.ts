import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { countBytesWithHeap } from '../../gateway/collections.ts'
import { judged, targetTable } from './support-targets.ts'

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

if (name === 'all' && !values.help && Number.isInteger(rounds) && rounds >= 1) {
  const results = await all(values.only?.split(',') ?? known)
  const targets = judged(results)
  process.stderr.write(`\n${targetTable(targets)}\n`)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...results, targets }, null, 2)}\n`)
} else if (values.help || name === undefined || !known.includes(name) || !Number.isInteger(rounds) || rounds < 1) {
  const usage = `usage: npm run bench -- <all | ${known.join(' | ')}> [--rounds N] [--only PART,...] [--json]\n\nSubjects are interleaved in one run; medians, as ratios to a reference measured beside them.\nall: one after the other, each in a process of its own, and a table of what was measured as ratios to the targets; --only names some of them; one that fails has its last words, and the exit code is 1.\n`
  ;(values.help ? process.stdout : process.stderr).write(usage)
  process.exitCode = values.help ? 0 : 2
} else {
  // As a gateway does: what is measured in this process is its work.
  countBytesWithHeap()
  const benchmark = (await import(`./${name}.ts`)) as Benchmark
  const result = await benchmark.bench({
    rounds,
    ...(values.only === undefined ? {} : { only: values.only }),
    progress: (line) => process.stderr.write(`${line}\n`),
  })
  const text = values.json || benchmark.render === undefined ? JSON.stringify(result, null, 2) : benchmark.render(result)
  process.stdout.write(`${text}\n`)
}

/** Each in a process of its own, so that none runs on what another left behind. */
async function all(chosen: readonly string[]): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {}
  for (const each of chosen) {
    process.stderr.write(`== ${each}\n`)
    const child = spawn(process.execPath, [import.meta.filename, each, '--json', '--rounds', String(rounds)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err = (said.err + text).slice(-2_000)
      process.stderr.write(text)
    })
    const [code] = await once(child, 'close')
    if (code === 0) results[each] = JSON.parse(said.out)
    else {
      results[each] = { failed: said.err.trim().split('\n').slice(-5) }
      process.exitCode = 1
    }
  }
  return results
}
