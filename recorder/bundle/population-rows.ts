import type { CsvCell } from '../../schemas/csv.ts'
import type { What } from './decisions.ts'
import type { Inspected } from './inspect-tape.ts'

/** Blocked and held frames; `what` says which of them count (decisions.ts). */
export const DECISION_COLUMNS = [
  'session',
  'frame',
  'at_us',
  'dir',
  'kind',
  'act',
  'what',
  'rules',
  'policy',
  'approval',
] as const

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
  'blocked',
  'cut',
  'held',
  'open_entry',
  'end_entry',
] as const

export function sessionRow({ session, state, problem, verdict, header, totals, decisions }: Inspected): readonly CsvCell[] {
  const { identity, target, client } = header?.session ?? {}
  const counted = (what: What): number => decisions.reduce((sum, one) => sum + (one.what === what ? 1 : 0), 0)
  return [
    session.session,
    session.gateway,
    session.number,
    session.at,
    session.identity,
    session.kind === '' ? identity?.kind : session.kind,
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
    counted('blocked'),
    counted('cut'),
    counted('held'),
    session.open,
    session.end,
  ]
}

/** A row for each of its blocked and held frames. */
export function* decisionRows({ session, decisions }: Inspected): Generator<readonly CsvCell[]> {
  for (const { seq, atUs, dir, kind, verdict, what } of decisions)
    yield [session.session, seq, atUs, dir, kind, verdict.act, what, verdict.rules.join(' '), verdict.policy, verdict.approval]
}
