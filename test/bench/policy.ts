import { readFileSync } from 'node:fs'
import type { Message } from '../../gateway/message.ts'
import { OwnBudgets } from '../../gateway/policy/budgets.ts'
import type { Judge } from '../../gateway/policy/judge.ts'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { sqlFacts } from '../../gateway/policy/sql/facts.ts'
import { parseSql } from '../../gateway/policy/sql/parse.ts'
import { TrialMessage } from '../../gateway/policy/trial.ts'
import { agent, production } from '../support/policy.ts'
import { median, rounded } from './support.ts'

const STATEMENTS = 5_000
const REPLIES = 200_000

interface Row {
  readonly subject: string
  /** Processor time per message, microseconds, median of the rounds. */
  readonly us: number
  /** Of each message by the clock, microseconds: what a neighbour on the machine took is in few of them. */
  readonly medianUs: number | null
  /** Over parsing the same kind of statement once, in the same rounds; null where nothing is parsed. */
  readonly toParse: number | null
}

interface Subject {
  readonly name: string
  readonly count: number
  readonly parses: boolean
  run(round: number, each?: Float64Array): void
}

/** A statement nobody sent before: its own identifiers, so that no cache can know it. */
const fresh = (serial: string): string =>
  `SELECT c.name, o.amount FROM customers AS c JOIN orders AS o ON o.customer_id = c.id WHERE c.id = 7 AND o.status = 'x${serial}' ORDER BY t${serial}`
const point = (id: number): string => `SELECT abalance FROM pgbench_accounts WHERE aid = ${id}`

/** The sample policy, judging an agent in production. */
export async function bench(options: { readonly rounds: number; readonly progress: (line: string) => void }): Promise<object> {
  const policy = compilePolicy(readFileSync(new URL('../../gateway/demo/policy.yaml', import.meta.url), 'utf8'), 'policy.yaml')
  const budgets = new OwnBudgets(Date.now)
  const session = (): Judge => policy.judge(agent, production, { now: Date.now, budgets })
  const bytes = new Uint8Array(64)
  // As the wire hands it over: like texts share their facts, and what follows from them.
  const asking = (sql: string): Message => {
    const facts = sqlFacts(sql)
    return Object.assign(new TrialMessage('client', 'query', bytes, 0, facts), { common: () => facts })
  }
  const expectAct = (judge: Judge, sql: string, act: string): void => {
    // The canary: a judge that lets everything through is quick.
    if (judge.judge(asking(sql)).act !== act) throw new Error(`${sql} should be: ${act}`)
  }
  const judge = session()
  const reply = new TrialMessage('server', 'reply', new Uint8Array(65_536), 700, { statement: 1 })
  const unlimited = compilePolicy('version: 1\nrules: []', 'none.yaml').judge(agent, production)
  const subjects: readonly Subject[] = [
    subject('parse alone, new statement', STATEMENTS, true, (serial) => parseSql(fresh(serial))),
    subject('facts, new statement', STATEMENTS, true, (serial) => sqlFacts(fresh(serial))),
    subject('facts and verdict, new statement', STATEMENTS, true, (serial) => judge.judge(asking(fresh(serial)))),
    subject('facts and verdict, other literal', STATEMENTS, false, (_, index) => judge.judge(asking(point(index)))),
    subject('facts and verdict, same text', STATEMENTS, false, () => judge.judge(asking(point(1)))),
    subject('result run, no threshold', REPLIES, false, () => unlimited.judge(reply)),
    {
      name: 'result run, three thresholds',
      count: REPLIES,
      parses: false,
      run: () => {
        // A session ends up over its budget within a few hundred runs: a new one then.
        let counting = session()
        for (let index = 0; index < REPLIES; index++) {
          if (index % 50 === 0) counting = session()
          counting.judge(reply)
        }
      },
    },
  ]
  const times = new Map<string, number[]>()
  const medians = new Map<string, number[]>()
  for (let round = 0; round <= options.rounds; round++) {
    options.progress(`policy: round ${round} of ${options.rounds}`)
    expectAct(session(), 'DELETE FROM orders', 'hold')
    expectAct(session(), "COPY orders TO PROGRAM 'x'", 'block')
    for (const { name, count, run } of subjects) {
      const before = process.cpuUsage()
      const each = new Float64Array(count)
      run(round, each)
      const { user, system } = process.cpuUsage(before)
      if (round > 0 && each.some((us) => us > 0)) medians.set(name, [...(medians.get(name) ?? []), ...each])
      if (round > 0) times.set(name, [...(times.get(name) ?? []), (user + system) / count]) // round 0 is the compiler's
    }
  }
  const parse = times.get(subjects[0]?.name ?? '') ?? []
  const rows = subjects.map(({ name, parses }): Row => {
    const spent = times.get(name) ?? []
    const ratios = spent.map((us, round) => us / (parse[round] ?? Number.NaN))
    const each = medians.get(name)
    const medianUs = each === undefined ? null : rounded(median(each))
    return { subject: name, us: rounded(median(spent)), medianUs, toParse: parses ? rounded(median(ratios)) : null }
  })
  return { rounds: options.rounds, rows }
}

function subject(name: string, count: number, parses: boolean, each: (serial: string, index: number) => unknown): Subject {
  return {
    name,
    count,
    parses,
    run: (round, times) => {
      for (let index = 0; index < count; index++) {
        const before = performance.now()
        each(`${round}_${name.length}_${index}`, index)
        if (times !== undefined) times[index] = (performance.now() - before) * 1_000
      }
    },
  }
}

export function render(result: object): string {
  const { rows } = result as { rows: readonly Row[] } // what bench made
  const lines = rows.map(
    ({ subject: name, us, medianUs, toParse }) =>
      `${name.padEnd(36)} ${String(us).padStart(8)} us ${medianUs === null ? '' : `(median ${medianUs} us) `}${toParse === null ? '' : `${toParse} x parse`}`,
  )
  return lines.join('\n')
}
