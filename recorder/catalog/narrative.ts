import type { Database } from './database.ts'
import type { CatalogSession } from './messages.ts'

/** Objects and refusals that are named; the rest is counted. */
const NAMED = 5
const SHOWN_CHARS = 120

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
  const odd = await database.query<{
    text: string
    outcome: string
    approval: string | null
    verdict: string | null
    rules: string[]
  }>(
    `select left(text, ${SHOWN_CHARS}) as text, outcome, approval, verdict, rules from catalog.statements
     where session = $1 and (outcome in ('refused', 'cut', 'error') or approval is not null) order by frame, part limit 1000`,
    [id],
  )
  const who = identity.principal === undefined ? identity.subject : `${identity.subject}, for ${identity.principal},`
  const refused = odd.rows.filter(({ outcome }) => outcome === 'refused')
  const cut = odd.rows.filter(({ outcome, verdict }) => outcome === 'cut' && (verdict === 'block' || verdict === 'hold'))
  const failed = odd.rows.filter(({ outcome }) => outcome === 'error').length
  // What was held in its middle and never went on was cut there.
  const approved = odd.rows.filter(
    ({ outcome, approval, verdict }) => approval !== null && outcome !== 'refused' && !(outcome === 'cut' && verdict === 'hold'),
  )
  return [
    `${who} was at ${target.name} (${target.protocol}) from ${client}, and gave ${many(statements, 'command')}.`,
    pulls.rows.length === 0
      ? 'Nothing that has a name was touched.'
      : `Touched: ${named(pulls.rows, (one) => `${one.object} (${many(one.statements, 'command')}, ${many(one.rows, 'row')})`)}.`,
    `${many(rows, 'row')} and ${many(bytesOut, 'byte')} left; ${masked === 0 ? 'nothing was masked' : `${many(masked, 'value')} of it masked`}.`,
    ...(refused.length === 0 ? [] : [`Refused: ${named(refused, ({ text, rules }) => `“${oneLine(text)}”${by(rules)}`)}.`]),
    ...(cut.length === 0 ? [] : [`Cut in the middle: ${named(cut, ({ text, rules }) => `“${oneLine(text)}”${by(rules)}`)}.`]),
    ...(approved.length === 0
      ? []
      : [`Held, then released: ${named(approved, ({ text, approval }) => `“${oneLine(text)}” (${approval})`)}.`]),
    ...(failed === 0 ? [] : [`${many(failed, 'command')} ended in an error of the target.`]),
    state === 'live'
      ? 'It goes on.'
      : state === 'sealed'
        ? `It ended: ${endReason ?? 'no reason is given'}.`
        : `Its recording has no signed end${recovered === null ? '' : `; ${many(recovered.frames, 'frame')} were recovered by ${recovered.by}`}.`,
  ]
}

function named<T>(all: readonly T[], name: (one: T) => string): string {
  const more = all.length - NAMED
  return all.slice(0, NAMED).map(name).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function by(rules: readonly string[]): string {
  return rules.length === 0 ? '' : ` by ${rules.join(', ')}`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function many(count: number, one: string): string {
  return `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`
}
