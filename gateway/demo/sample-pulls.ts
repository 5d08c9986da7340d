import { visit as open, type SampleVisit } from './sample-visit.ts'

/** Customers by their ids, session by session. The first is more than an agent gets without asking; the others keep below that. */
const PULLS = [
  [1, 1_200],
  [1_201, 2_000],
  [2_001, 2_800],
  [2_801, 3_600],
  [3_601, 4_400],
  [4_401, 5_200],
] as const

/** Visits of an agent that takes most of a table in small parts: no session is large by itself. */
export async function driveSamplePulls(sample: SampleVisit): Promise<void> {
  sample.progress(`  ${sample.user}: reads customers in ${PULLS.length} short sessions (the first is held, then approved)`)
  for (const [from, to] of PULLS) {
    const visit = await open(sample)
    try {
      const said = await visit.ask(
        `SELECT id, name, email, card, city FROM customers WHERE id BETWEEN ${from} AND ${to} ORDER BY id`,
      )
      sample.progress(`    customers ${from} to ${to}: ${said.split(',', 1)[0]}`)
    } finally {
      await visit.end()
    }
  }
}
