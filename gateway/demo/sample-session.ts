import { visit as open, type SampleVisit } from './sample-visit.ts'

/** What the agent does, and what a reader of the demo should know of each. */
const STEPS = [
  { sql: 'SELECT id, name, email, ssn, card, city FROM customers ORDER BY id LIMIT 5', expect: 'masked' },
  { sql: "COPY (SELECT email, card FROM customers) TO PROGRAM 'cat > /tmp/exfiltrated.csv'", expect: 'blocked' },
  { sql: 'DELETE FROM old_coupons', expect: 'held, then approved' },
  { sql: 'SELECT * FROM orders', expect: 'cut at the row threshold' },
  { sql: 'SELECT status, count(*), sum(amount) FROM orders GROUP BY status ORDER BY status', expect: 'let through' },
] as const

/** One visit of the sample agent, start to end. */
export async function driveSampleSession(sample: SampleVisit): Promise<void> {
  const visit = await open(sample)
  try {
    for (const { sql, expect } of STEPS) {
      sample.progress(`  ${sample.user}: ${sql}   (${expect})`)
      sample.progress(`    ${await visit.ask(sql)}`)
    }
  } finally {
    await visit.end()
  }
}
