import type { Database } from './database.ts'
import type { CatalogSession } from './messages.ts'

/** Objects and refusals that are named; the rest is counted. */
const NAMED = 5
const SHOWN_CHARS = 120

/** Conditions of what is named. Each is looked for on its own: a thousand errors must not hide one refusal. */
const ODD = {
  refused: "outcome = 'refused'",
  cut: "outcome = 'cut' and verdict in ('block', 'hold')",
  // What was held in its middle and never went on was cut there.
  approved: "approval is not null and outcome <> 'refused' and (outcome = 'cut' and verdict = 'hold') is not true",
} as const

interface Odd {
  readonly text: string
  readonly approval: string | null
  readonly rules: string[]
}

/**
 * What happened in a session, in a few sentences: what was touched, how much left, what was refused, what was approved, how it ended. Made of
 * the catalog's numbers alone, the same for the same rows; statements in it are untrusted text, masked as recorded.
 */
export async function narrate(database: Database, session: CatalogSession): Promise<readonly string[]> {
  const { id, identity, target, client, statements, rows, bytesOut, masked, state, endReason, recovered } = session
  const pulls = await database.query<{ object: string; rows: number; statements: number }>(
    `select object, sum(rows)::bigint as rows, sum(statements)::bigint as statements from catalog.pulls where session = $1
     group by object order by rows desc, object`,
    [id],
  )
  const odd = await database.query<Readonly<Record<keyof typeof ODD | 'failed', number>>>(
    `select ${Object.entries(ODD)
      .map(([name, condition]) => `count(*) filter (where ${condition}) as ${name}`)
      .join(', ')}, count(*) filter (where outcome = 'error') as failed
     from catalog.statements where session = $1 and (outcome in ('refused', 'cut', 'error') or approval is not null)`,
    [id],
  )
  const counts = odd.rows[0] ?? { refused: 0, cut: 0, approved: 0, failed: 0 }
  const { failed } = counts
  const first = async (kind: keyof typeof ODD, name: (one: Odd) => string): Promise<string> => {
    const { rows: few } = await database.query<Odd>(
      `select left(text, ${SHOWN_CHARS}) as text, approval, rules from catalog.statements
       where session = $1 and (${ODD[kind]}) order by frame, part limit ${NAMED}`,
      [id],
    )
    return named(few, counts[kind], name)
  }
  const who = identity.principal === undefined ? identity.subject : `${identity.subject}, for ${identity.principal},`
  return [
    `${who} was at ${target.name} (${target.protocol}) from ${client}, and gave ${many(statements, 'command')}.`,
    pulls.rows.length === 0
      ? 'Nothing that has a name was touched.'
      : `Touched: ${named(pulls.rows, pulls.rows.length, (one) => `${one.object} (${many(one.statements, 'command')}, ${many(one.rows, 'row')})`)}.`,
    `${many(rows, 'row')} and ${many(bytesOut, 'byte')} left; ${masked === 0 ? 'nothing was masked' : `${many(masked, 'value')} of it masked`}.`,
    ...(counts.refused === 0 ? [] : [`Refused: ${await first('refused', stopped)}.`]),
    ...(counts.cut === 0 ? [] : [`Cut in the middle: ${await first('cut', stopped)}.`]),
    ...(counts.approved === 0
      ? []
      : [`Held, then released: ${await first('approved', ({ text, approval }) => `“${oneLine(text)}” (${approval})`)}.`]),
    ...(failed === 0 ? [] : [`${many(failed, 'command')} ended in an error of the target.`]),
    state === 'live'
      ? 'It goes on.'
      : state === 'sealed'
        ? `It ended: ${endReason ?? 'no reason is given'}.`
        : `Its recording has no signed end${recovered === null ? '' : `; ${many(recovered.frames, 'frame')} were recovered by ${recovered.by}`}.`,
  ]
}

/** The first of so many. */
function named<T>(some: readonly T[], all: number, name: (one: T) => string): string {
  const few = some.slice(0, NAMED)
  const more = all - few.length
  return few.map(name).join(', ') + (more > 0 ? ` and ${more.toLocaleString('en-US')} more` : '')
}

function stopped({ text, rules }: Odd): string {
  return `“${oneLine(text)}”${rules.length === 0 ? '' : ` by ${rules.join(', ')}`}`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function many(count: number, one: string): string {
  return `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`
}
