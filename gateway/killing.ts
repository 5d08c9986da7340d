import { safeText } from '../schemas/safe-text.ts'
import type { Refusal } from '../schemas/verdict.ts'

const BETWEEN = ' ended this session: '

/** What the client of a session is told that somebody ends: on one line, and nothing in it that could change how it reads. */
export function killMessage(by: string, reason: string): string {
  return safeText(by) + BETWEEN + safeText(reason)
}

/** The refusal of a session that is ended with these words; who says them is evidence. */
export function killed(message: string): Refusal {
  const at = message.indexOf(BETWEEN)
  return { why: 'blocked', message, rules: [], ...(at > 0 ? { evidence: message.slice(0, at + BETWEEN.length) } : {}) }
}
