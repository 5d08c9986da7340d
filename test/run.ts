// Runs every test: `npm test`, or `node test/run.ts GLOB ...` for some of them.
//
// Thousands of tests drive real clients, servers and browsers against their clocks, on as little as two cores, so that a red run of
// one of them may tell of the machine. At most MAX_UNSTEADY files that failed are run once more, alone, when all the rest is done.
// What fails again has failed. What passes is told at the very end, with its first failure above: it is a bug, of the test or of us.
import { relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const MAX_UNSTEADY = 3
/** No test takes this long; a hung one ends the run with its name. */
const TIMEOUT_MS = 1_200_000
/** Files at once; most of them start servers of their own. */
const CONCURRENCY = 2

interface Outcome {
  readonly ran: number
  /** Names of what failed, by file. */
  readonly failures: ReadonlyMap<string, readonly string[]>
}

async function tested(
  which: { readonly globPatterns: string[] } | { readonly files: string[] },
  concurrency: number,
): Promise<Outcome> {
  let ran = 0
  const failures = new Map<string, string[]>()
  const events = run({ ...which, concurrency, timeout: TIMEOUT_MS })
  events.on('test:complete', () => {
    ran++
  })
  events.on('test:fail', ({ name, file = name, nesting, todo }) => {
    if (todo !== undefined && todo !== false) return
    const names = failures.get(file) ?? []
    failures.set(file, nesting === 0 ? [...names, name] : names)
  })
  for await (const text of events.compose(new spec())) process.stdout.write(text)
  return { ran, failures }
}

const globs = process.argv.slice(2)
const { ran, failures } = await tested({ globPatterns: globs.length === 0 ? ['test/**/*.test.ts'] : globs }, CONCURRENCY)
if (ran === 0 || failures.size > MAX_UNSTEADY) {
  process.stdout.write(ran === 0 ? '\nNo test was found.\n' : `\n${failures.size} files failed: too many to be run once more.\n`)
  process.exitCode = 1
} else if (failures.size > 0) {
  process.stdout.write(`\nRunning once more, alone: ${[...failures.keys()].map(shown).join(', ')}\n\n`)
  const { failures: again } = await tested({ files: [...failures.keys()] }, 1)
  for (const [file, names] of failures)
    if (!again.has(file)) process.stdout.write(`\nUNSTEADY: ${shown(file)}: failed once, then passed: ${names.join('; ')}\n`)
  process.exitCode = again.size > 0 ? 1 : 0
}

function shown(file: string): string {
  return relative(process.cwd(), file)
}
