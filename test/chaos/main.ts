import { parseArgs } from 'node:util'
import { Random } from '../support/random.ts'
import { clockStep } from './clock.ts'
import { diskFull, spoolQuota } from './disk.ts'
import { failingService } from './failing-service.ts'
import { killGateway } from './kill-gateway.ts'
import { killReplicas } from './kill-replicas.ts'
import { lostMachine, lostMachineWindow } from './lost-machine.ts'
import { partition } from './partition.ts'
import { racingGateways } from './races.ts'
import { Account, type Scenario } from './scenario.ts'
import { answersLost, latency, outage, storm } from './store-faults.ts'

// Lets go wrong what goes wrong, and compares what clients and targets were given with what the tapes have. `npm run chaos -- --json`.

const SCENARIOS: readonly Scenario[] = [
  killGateway,
  killReplicas,
  lostMachine,
  lostMachineWindow,
  answersLost,
  storm,
  latency,
  outage,
  failingService,
  partition,
  diskFull,
  spoolQuota,
  clockStep,
  racingGateways,
]

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    runs: { type: 'string' },
    minutes: { type: 'string', default: '0' },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})
const runs = values.runs === undefined ? undefined : Number(values.runs)
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const chosen = SCENARIOS.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
const wrong = values.only.some((name) => !SCENARIOS.some((one) => one.name === name))

if (
  values.help ||
  wrong ||
  !Number.isInteger(seed) ||
  (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) ||
  !(minutes >= 0)
) {
  const list = SCENARIOS.map(({ name, about, defaultRuns }) => `  ${name.padEnd(20)} ${about} (${defaultRuns} runs)\n`).join('')
  const usage = `usage: npm run chaos -- [--json] [--runs N] [--minutes M] [--only name]... [--seed S]\n\n${list}\nAll of it takes up to an hour, --runs 2 some minutes. With --minutes each is played again until they are over. The same seed plays the same. Exit code 1 where a delivered frame is missing, twice or altered.\n`
  ;(values.help ? process.stdout : process.stderr).write(usage)
  process.exitCode = values.help ? 0 : 2
} else {
  const results: object[] = []
  let violations = 0
  for (const scenario of chosen) {
    const account = new Account()
    const startMs = performance.now()
    const progress = (line: string): void => void process.stderr.write(`${scenario.name}: ${line}\n`)
    try {
      // A scenario draws the same whichever others are played.
      const random = new Random(seed ^ hash(scenario.name))
      do await scenario.play({ random: random.fork(), runs: runs ?? scenario.defaultRuns, progress }, account)
      while (performance.now() - startMs < minutes * 60_000)
    } catch (error) {
      account.violation(`run ${account.runs}: ${error instanceof Error ? error.stack : String(error)}`)
    }
    violations += account.violations.length
    for (const violation of account.violations) progress(`VIOLATION ${violation}`)
    const seconds = Math.round((performance.now() - startMs) / 100) / 10
    results.push({ name: scenario.name, seconds, ...account })
    progress(told(account, seconds))
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, violations, scenarios: results }, null, 2)}\n`)
  process.exitCode = violations === 0 ? 0 : 1
}

function told(
  { runs: played, sessions, delivered, recoverable, lostInWindow, refusedUnrecorded, violations: found, instead }: Account,
  seconds: number,
): string {
  const lost = lostInWindow === 0 ? '' : `, ${lostInWindow} lost within the stated window`
  const refused = refusedUnrecorded === 0 ? '' : `, ${refusedUnrecorded} told in refusals that no tape has`
  return `${played} runs, ${sessions} sessions, ${delivered} delivered, ${recoverable} recoverable${lost}${refused}, ${found.length} violations, ${seconds} s${instead === undefined ? '' : `; IN ITS PLACE: ${instead}`}`
}

function hash(text: string): number {
  return [...text].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) >>> 0, 7)
}
