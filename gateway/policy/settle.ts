import type { Verdict } from '../../schemas/verdict.ts'
import type { Message } from '../message.ts'
import type { Hold } from './rule.ts'

/** A rule that matched, and what it wants. `note`: nothing (shadow). */
export interface Matched {
  readonly id: string
  readonly act: 'block' | 'hold' | 'allow' | 'note'
  readonly reason: string
  readonly hint: string | undefined
  readonly hold: Hold | undefined
  /** For a threshold: the units of this message that still pass. */
  readonly keep?: number
}

/** Shared, since most messages end with it. */
export const ALLOW: Verdict = { act: 'allow', rules: [] }

/** The verdict of all that matched: block before hold before allow; every id named, in order. */
export function settle(matched: readonly Matched[], message: Message, fallback: Hold): Verdict {
  if (matched.length === 0) return ALLOW
  const rules = matched.map(({ id }) => id)
  const block = matched.find(({ act }) => act === 'block')
  const holds = matched.filter(({ act }) => act === 'hold')
  const keep = least(matched.filter(({ act }) => act === 'block' || act === 'hold'))
  if (block !== undefined) return blocked(block, rules, keep)
  const [first] = holds
  // Nothing runs by being parsed: it is held where it is executed, each time, with its parameters.
  if (first === undefined || message.kind === 'parse') return { act: 'allow', rules }
  // An approval is bound to exact bytes, and these are not all here.
  if (message.part === 'first' && message.from === 'client')
    return blocked({ ...first, reason: TOO_LARGE_TO_HOLD }, rules, undefined)
  const { timeoutMs, approvers } = combine(holds.map(({ hold }) => hold ?? fallback))
  return { act: 'hold', rules, reason: first.reason, timeoutMs, approvers, ...(keep === undefined ? {} : { keep }) }
}

const TOO_LARGE_TO_HOLD = 'this asks for an approval, and is too large to be held whole for one'

function blocked(match: Matched, rules: readonly string[], keep: number | undefined): Verdict {
  return {
    act: 'block',
    rules,
    reason: match.reason,
    ...(match.hint === undefined ? {} : { hint: match.hint }),
    ...(keep === undefined ? {} : { keep }),
  }
}

/** Where a threshold is among them: how much passes before the first of them bites; nothing, where one is no threshold. */
function least(matched: readonly Matched[]): number | undefined {
  if (!matched.some(({ keep }) => keep !== undefined)) return undefined
  return Math.min(...matched.map(({ keep }) => keep ?? 0))
}

/** Several holds, one wait: the groups all of them name (else the first's), the largest count, the shortest time. */
function combine(holds: readonly Hold[]): {
  readonly timeoutMs: number
  readonly approvers: { readonly groups: readonly string[]; readonly count: number }
} {
  const [first, ...others] = holds
  const common = (first?.groups ?? []).filter((group) => others.every(({ groups }) => groups.includes(group)))
  return {
    timeoutMs: Math.min(...holds.map(({ timeoutMs }) => timeoutMs)),
    approvers: {
      groups: common.length > 0 ? common : (first?.groups ?? []),
      count: Math.max(...holds.map(({ count }) => count)),
    },
  }
}
