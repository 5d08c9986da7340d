// The names the API and the page both go by, apart from the schemas: a page needs no schema checker.

export const API_BASE = '/api/v1'
/** Carries the token of `Me.csrf`; required on everything but GET where a cookie, not a bearer key, says who asks. */
export const CSRF_HEADER = 'x-sallyport-csrf'
/** Why evidence is looked at, in the reader's words; noted in the ledger with what was read. At most MAX_PURPOSE_LENGTH characters, percent-encoded. */
export const PURPOSE_HEADER = 'x-sallyport-purpose'
/** One-time links are `<console>/#sign-in=<token>`: a fragment is never sent, so it is in nobody's log. */
export const SIGN_IN_FRAGMENT = 'sign-in'
/** Whoever comes back from an issuer and is not let in finds `<console>/#sign-in-failed=<one of these>`. */
export const SIGN_IN_FAILED_FRAGMENT = 'sign-in-failed'
/** `denied`: not proved. `no-role`: proved, and nothing to see. `late`: not begun here, or too long ago. `away`: the issuer does not answer. */
export const SIGN_IN_PROBLEMS = ['denied', 'no-role', 'late', 'away'] as const
export type SignInProblem = (typeof SIGN_IN_PROBLEMS)[number]
/** `live`: still written. `sealed`: signed end. `incomplete`: recovered after a crash, cut, or its header cannot be read. */
export const SESSION_STATES = ['live', 'sealed', 'incomplete'] as const
export type SessionState = (typeof SESSION_STATES)[number]
export const SERVER_EVENT_NAMES = ['opened', 'progress', 'closed', 'approval', 'finding', 'reset'] as const
export type ServerEventName = (typeof SERVER_EVENT_NAMES)[number]
/** Where text was found: a command, rows of a result, a terminal's screen, other output, a body. */
export const TEXT_PLACES = ['statement', 'result', 'terminal', 'output', 'body'] as const
export type TextPlace = (typeof TEXT_PLACES)[number]
export const ACTS = ['allow', 'mask', 'block', 'hold'] as const
/** `sent`: passed on, and nothing answers it that could be told from other output, as a line of a terminal. */
export const STATEMENT_OUTCOMES = ['running', 'complete', 'error', 'refused', 'cut', 'sent'] as const

/** So many different keys of a table are counted one by one; more are estimated. */
export const EXACT_KEYS = 1_024
/** Standard error of such an estimate: two in three are nearer, nineteen in twenty nearer than twice it. */
export const ESTIMATE_ERROR_PERCENT = 3.2

/** Everybody's own collection of bookmarks, by this name in place of a case's id. */
export const OWN_CASE = 'mine'

/** What people do with evidence, as pages call it; each is several kinds of entries of the ledger. */
export const CUSTODY_NAMES = {
  viewed: 'looked at',
  searched: 'searched',
  exported: 'took out',
  decided: 'decided',
  kept: 'held or deleted',
  verified: 'verified or compared',
  'signed-in': 'signed in or out',
} as const
export type CustodyAct = keyof typeof CUSTODY_NAMES
