import { parseArgs } from 'node:util'
import { evaluate, render } from './detectors.ts'

// How well something recognises what it should: beside test/bench, which says how fast.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    data: { type: 'string' },
  },
})
const data = values.data ?? process.env['SALLYPORT_EVAL_DATA']
const usage =
  'usage: npm run eval -- detectors --data DIR [--json]\n\nDIR, else SALLYPORT_EVAL_DATA, has the labelled extracts that docs/masking.md names.\n'

if (values.help) process.stdout.write(usage)
else if (positionals.length !== 1 || positionals[0] !== 'detectors' || data === undefined || data === '') {
  process.stderr.write(usage)
  process.exitCode = 2
} else {
  const result = await evaluate(data)
  process.stdout.write(`${values.json ? JSON.stringify(result, null, 2) : render(result)}\n`)
}
