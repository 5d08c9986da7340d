// Runs every test: `npm test`, or `node test/run.ts GLOB ...` for some of them.
//
// Thousands of tests drive real clients, servers and browsers against their clocks, on as little as two cores, so that a red run of
// one of them may tell of the machine. At most MAX_UNSTEADY files that failed are run once more, alone, when all the rest is done.
// What fails again has failed. What passes is told at the very end, with its first failure above: it is a bug, of the test or of us.
import { relative } from 'node:path'
import { type EventData, run } from 'node:test'
import { spec } from 'node:test/reporters'

const MAX_UNSTEADY = 3
/** No test takes this long; a hung one ends the run with its name. */
const TIMEOUT_MS = 1_200_000
/** Files at once; most of them start servers of their own. */
const CONCURRENCY = 2

/** `entryFile`: not in Node's types yet. */
type Ended = (EventData.TestPass | EventData.TestFail) & { readonly entryFile?: string }

interface Outcome {
  /** What passed, by file and name. */
  readonly passed: ReadonlySet<string>
  /** Names of what failed, by file. */
  readonly failures: ReadonlyMap<string, readonly string[]>
}

async function tested(
  which: { readonly globPatterns: string[] } | { readonly files: string[] },
  concurrency: number,
): Promise<Outcome> {
  const passed = new Set<string>()
  const failures = new Map<string, string[]>()
  const events = run({ ...which, concurrency, timeout: TIMEOUT_MS })
  events.on('test:pass', ({ name, file, entryFile = file ?? name, skip }: Ended) => {
    if (skip === undefined || skip === false) passed.add(keyOf(entryFile, name))
  })
  // `file` is where the test is written, which may be a contract that several files test by.
  events.on('test:fail', ({ name, file, entryFile = file ?? name, nesting, todo }: Ended) => {
    if (todo !== undefined && todo !== false) return
    const names = failures.get(entryFile) ?? []
    failures.set(entryFile, nesting === 0 ? [...names, name] : names)
  })
  for await (const text of events.compose(new spec())) process.stdout.write(text)
  return { passed, failures }
}

const globs = process.argv.slice(2)
const { passed, failures } = await tested({ globPatterns: globs.length === 0 ? ['test/**/*.test.ts'] : globs }, CONCURRENCY)
if (passed.size + failures.size === 0 || failures.size > MAX_UNSTEADY) {
  process.stdout.write(
    failures.size === 0 ? '\nNo test was found.\n' : `\n${failures.size} files failed: too many to be run once more.\n`,
  )
  process.exitCode = 1
} else if (failures.size > 0) {
  process.stdout.write(`\nRunning once more, alone: ${[...failures.keys()].map(shown).join(', ')}\n\n`)
  const again = await tested({ files: [...failures.keys()] }, 1)
  for (const [file, names] of failures) {
    // A file that ended by itself has failed by its own name, and passes without one.
    const unsteady = !again.failures.has(file) && names.every((name) => name === file || again.passed.has(keyOf(file, name)))
    if (unsteady) process.stdout.write(`\nUNSTEADY: ${shown(file)}: failed once, then passed: ${names.join('; ')}\n`)
    else process.exitCode = 1
  }
}

function keyOf(file: string, name: string): string {
  return `${file}\n${name}`
}

function shown(file: string): string {
  return relative(process.cwd(), file)
}
