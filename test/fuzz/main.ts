import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { corpusOf, keepCrash, keepInCorpus } from './corpus.ts'
import { DECODERS } from './decoders.ts'
import { fuzz } from './run.ts'

// Feeds every decoder with bytes that nobody in their right mind sends, for as long as somebody has time. `npm run fuzz -- --seconds 600`.

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    keep: { type: 'boolean', default: false },
    input: { type: 'string' },
  },
})
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
const chosen = DECODERS.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
const isWrong =
  values.only.some((name) => !DECODERS.some((one) => one.name === name)) ||
  !(seconds > 0) ||
  !Number.isInteger(seed) ||
  (values.input !== undefined && chosen.length !== 1)

if (values.help || isWrong) {
  const usage = `usage: npm run fuzz -- [--seconds 60] [--only NAME]... [--seed S] [--keep] [--json]
       npm run fuzz -- --only NAME --input FILE

Feeds each decoder for so many seconds, one after the other, with changed copies of valid inputs. An input that is refused is well; one
that throws anything else, takes 0.4 s, or never ends is kept in test/fuzz/corpus (exit code 1), and read again by every run of
the tests; --input reads one alone. --keep adds what led somewhere new to the corpus.

${DECODERS.map(({ name }) => `  ${name}`).join('\n')}
`
  ;(values.help ? process.stdout : process.stderr).write(usage)
  process.exitCode = values.help ? 0 : 2
} else if (values.input !== undefined) {
  const bytes = readFileSync(values.input)
  const word = await chosen[0]?.feed(values.input.endsWith('.gz') ? gunzipSync(bytes) : bytes)
  process.stdout.write(`${word}\n`)
} else {
  const results: object[] = []
  for (const { name } of chosen) {
    const { crashes, found, ...counted } = await fuzz({ name, seed, seconds, given: corpusOf(name) })
    const kept = crashes.map(({ input, error }) => ({ file: keepCrash(name, input), error }))
    const corpus = values.keep ? keepInCorpus(name, found) : corpusOf(name).length
    results.push({ ...counted, found: found.length, corpus, crashes: kept })
    for (const { file, error } of kept) process.stderr.write(`${name}: WRONG: ${file}\n${error}\n`)
    const { runs, words, slowestMs } = counted
    process.stderr.write(
      `${name}: ${runs} inputs, ${words} different outcomes, ${found.length} of them new, slowest ${Math.round(slowestMs)} ms, ${kept.length} wrong\n`,
    )
    if (kept.length > 0) process.exitCode = 1
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, seconds, decoders: results }, null, 2)}\n`)
}
