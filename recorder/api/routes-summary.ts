import { createHash } from 'node:crypto'
import { type SessionRow, type StatementRow, type SummaryText, VerificationNote } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { bodyOf } from './check.ts'
import { type Handlers, sessionOf, unknownSession } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { Rate } from './rate.ts'
import { mayAct } from './viewer.ts'

/** A person reads each; more than that is a script, and takes text out of the house. */
const PER_IDENTITY = { perSecond: 0.1, burst: 6 }
/** Waited for at once, by all: each may take as long as the model does. */
const MAX_WAITING = 4
/** Of a page of the catalog. */
const STATEMENTS = 1_000
/** Of one: what it does is told by its beginning, and a long one must not take the place of all others. */
const STATEMENT_CHARS = 600

const rate = new Rate(PER_IDENTITY)
let waiting = 0

export const summaryRoutes: Handlers<'summarise' | 'noteVerification'> = {
  /** Noted before anything leaves, with its hash and size. What comes back is shown, and kept nowhere. */
  async summarise(asked, context): Promise<SummaryText> {
    const { parts } = context
    const { identity } = asked.viewer
    const { id, target } = await sessionOf(asked, context)
    if (!mayAct(asked.viewer, target))
      throw new ApplianceError(
        'API_FORBIDDEN',
        'having a summary written needs the role admin, or investigator and a group of the target',
      )
    const { summaries } = parts
    if (summaries === undefined)
      throw new ApplianceError('API_UNKNOWN', 'no model writes summaries here: `summary` is not configured')
    const retryAfterS = rate.take(identity.subject)
    if (retryAfterS > 0 || waiting >= MAX_WAITING)
      throw new ApplianceError('API_LIMITED', `summaries are written one by one; try again in ${Math.max(1, retryAfterS)} s`)
    waiting += 1
    try {
      const row = await parts.catalog.session(id)
      if (row === null) throw unknownSession()
      const { statements } = await parts.catalog.statements(id, { limit: STATEMENTS })
      const told = toldOf(row, (await parts.catalog.narrate(row)).slice(1), statements, summaries.maxChars)
      const body = await summaries.bodyOf(told.text)
      const sent = {
        host: summaries.host,
        bytes: Buffer.byteLength(body),
        sha256: createHash('sha256').update(body).digest('hex'),
        statements: told.statements,
      }
      const model = summaries.model === null ? {} : { model: summaries.model }
      await note(parts, identity, { type: 'summary.ask', session: id, ...sent, ...model, ...purposeOf(asked.request) })
      const text = await summaries.ask(body)
      return { session: id, text, model: summaries.model, ...sent, of: row.statements }
    } finally {
      waiting -= 1
    }
  },

  async noteVerification(asked, context) {
    const { id, state } = await sessionOf(asked, context)
    const { verdict, problems } = bodyOf(asked.request, VerificationNote)
    if (state === 'live')
      throw new ApplianceError('API_CONFLICT', `session ${id} still runs; its tape is verified whole once it has ended`)
    await note(context.parts, asked.viewer.identity, {
      type: 'evidence.verify',
      session: id,
      with: 'browser',
      verdict,
      problems,
      ...purposeOf(asked.request),
    })
    return { session: id, noted: true }
  },
}

/**
 * What leaves of a session: what kind of visit it was, what is told of it anyway, and its statements as far as they go. Nobody's name and no
 * address of a client: who it was is no matter of the model's. `told`: the narrative without its first sentence, which says just that.
 */
function toldOf(
  { identity, target, statements: of }: SessionRow,
  told: readonly string[],
  statements: readonly StatementRow[],
  maxChars: number,
): { readonly text: string; readonly statements: number } {
  const opening = [`One session (${identity.kind}, ${target.protocol}, ${of} commands).`, ...told, 'Commands in order:'].join(
    '\n',
  )
  let text = opening.slice(0, maxChars)
  let count = 0
  for (const each of statements) {
    const line = `\n${lineOf(each)}`
    if (text.length + line.length > maxChars) break
    text += line
    count += 1
  }
  return { text, statements: count }
}

function lineOf({ frame, text, outcome, verdict, rules, rows, masked, approval }: StatementRow): string {
  const facts = [
    outcome,
    `${rows} rows`,
    ...(masked === 0 ? [] : [`${masked} masked`]),
    ...(verdict === null ? [] : [`${verdict} by ${rules.join(', ') || 'policy'}`]),
    ...(approval === null ? [] : ['approved by a person']),
  ]
  const short = text.length > STATEMENT_CHARS ? `${text.slice(0, STATEMENT_CHARS).toWellFormed()} ...` : text
  return `frame ${frame} [${facts.join('; ')}]: ${short.replace(/\s+/g, ' ')}`
}
