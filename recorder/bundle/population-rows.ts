import type { CsvCell } from '../../schemas/csv.ts'
import type { Inspected } from './inspect-tape.ts'

/** Blocked and held messages. */
export const DECISION_COLUMNS = ['session', 'frame', 'at_us', 'dir', 'kind', 'act', 'rules', 'policy', 'approval'] as const

/** Every session of the population. */
export const SESSION_COLUMNS = [
  'session',
  'gateway',
  'number',
  'opened_at',
  'identity',
  'kind',
  'principal',
  'proof',
  'client',
  'target',
  'protocol',
  'policy',
  'durability',
  'state',
  'problem',
  'verdict',
  'closed_at',
  'reason',
  'frames',
  'statements',
  'rows',
  'bytes_in',
  'bytes_out',
  'masked',
  'allow',
  'mask',
  'block',
  'hold',
  'open_entry',
  'end_entry',
] as const

export function sessionRow({ session, state, problem, verdict, header, totals }: Inspected): readonly CsvCell[] {
  const { identity, target, client } = header?.session ?? {}
  const { verdicts } = totals
  return [
    session.session,
    session.gateway,
    session.number,
    session.at,
    session.identity,
    identity?.kind,
    identity?.principal,
    identity?.proof,
    client,
    session.target,
    target?.protocol,
    session.policy,
    session.durability,
    state,
    problem,
    verdict,
    session.closed?.at ?? session.recovered?.at,
    session.closed?.reason,
    totals.frames,
    totals.statements,
    totals.rows,
    totals.bytesIn,
    totals.bytesOut,
    totals.masked,
    verdicts?.allow,
    verdicts?.mask,
    verdicts?.block,
    verdicts?.hold,
    session.open,
    session.end,
  ]
}

/** A row for each of its blocked and held messages. */
export function* decisionRows({ session, decisions }: Inspected): Generator<readonly CsvCell[]> {
  for (const { seq, atUs, dir, kind, verdict } of decisions)
    yield [session.session, seq, atUs, dir, kind, verdict?.act, verdict?.rules.join(' '), verdict?.policy, verdict?.approval]
}
