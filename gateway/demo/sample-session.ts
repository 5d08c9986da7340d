import pg from 'pg'
import { SAMPLE_DATABASE } from './sample-target.ts'

/** A held statement of the sample session waits this long for the sample approver, who needs a fraction of it. */
const MAX_WAIT_MS = 60_000

export interface SampleSession {
  readonly host: string
  readonly port: number
  /** The agent's access key: its password at the gateway. */
  readonly key: string
  /** Certificate the gateway shows, PEM. */
  readonly ca: string
  /** Called with a held request's id: decides it as the sample approver. */
  readonly approve: (approval: string) => Promise<void>
  readonly progress: (line: string) => void
}

/** What the agent does, and what a reader of the demo should know of each. */
const STEPS = [
  { sql: 'SELECT id, name, email, ssn, card, city FROM customers ORDER BY id LIMIT 5', expect: 'masked' },
  { sql: "COPY (SELECT email, card FROM customers) TO PROGRAM 'cat > /tmp/exfiltrated.csv'", expect: 'blocked' },
  { sql: 'DELETE FROM old_coupons', expect: 'held, then approved' },
  { sql: 'SELECT * FROM orders', expect: 'cut at the row threshold' },
  { sql: 'SELECT status, count(*), sum(amount) FROM orders GROUP BY status ORDER BY status', expect: 'let through' },
] as const

/** One visit of the sample agent through the gateway with node-postgres as npm brings it, start to end. */
export async function driveSampleSession({ host, port, key, ca, approve, progress }: SampleSession): Promise<void> {
  const client = new pg.Client({
    host,
    port,
    user: 'agent-7',
    database: SAMPLE_DATABASE,
    password: key,
    ssl: { ca },
    application_name: 'sample-agent',
    query_timeout: MAX_WAIT_MS,
  })
  await client.connect()
  const decided: Promise<void>[] = []
  client.on('notice', (notice) => {
    const [id] = /\bA-[0-9A-HJKMNP-TV-Z]{8}\b/.exec(notice.message ?? '') ?? []
    if (id === undefined || decided.length > 0) return
    progress(`    ${notice.message}`)
    const decision = approve(id)
    // Awaited once its statement has ended; until then a failure must not count as unhandled.
    decision.catch(() => undefined)
    decided.push(decision)
  })
  try {
    for (const { sql, expect } of STEPS) {
      progress(`  agent-7: ${sql}   (${expect})`)
      progress(`    ${await outcomeOf(client, sql)}`)
      await Promise.all(decided)
    }
  } finally {
    await client.end()
  }
}

async function outcomeOf(client: pg.Client, sql: string): Promise<string> {
  try {
    const { command, rowCount, rows } = await client.query(sql)
    const first = rows[0] === undefined ? '' : `, first: ${JSON.stringify(rows[0])}`
    return `${command} ${rowCount ?? ''}${first}`
  } catch (error) {
    if (error instanceof pg.DatabaseError) return `refused: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`
    throw error
  }
}
