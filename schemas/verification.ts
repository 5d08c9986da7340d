/** What a verification may end with, and its exit code. Worse ones win: INVALID over UNVERIFIABLE over UNTRUSTED over VALID-INCOMPLETE. */
export const VERIFY_EXITS = {
  /** Everything is there, unchanged, and signed by a gateway that is trusted. */
  VALID: 0,
  /** What is there is unchanged; the tape has no proper end: recovered after a crash, cut, or still being recorded. */
  'VALID-INCOMPLETE': 10,
  INVALID: 20,
  /** Nothing can be said: no signatures, or not by a key that is known. Never a pass. */
  UNVERIFIABLE: 30,
  /** Valid, but the trust policy's witnesses or anchors are not met. */
  UNTRUSTED: 40,
  /** Removed by a ledgered act of retention. */
  'DELETED-BY-POLICY': 50,
} as const
export type VerifyVerdict = keyof typeof VERIFY_EXITS

/** Most problems listed of one tape; more are counted. */
export const MAX_PROBLEMS = 100

/** Most foreign objects listed; more are counted. */
export const MAX_FOREIGN = 100

export type ProblemPart =
  | 'magic'
  | 'header'
  | 'certificate'
  | 'salt'
  | 'record'
  | 'chunk-header'
  | 'signature'
  | 'frames'
  | 'marks'
  | 'checksum'
  | 'order'
  | 'seal'
  | 'index'
  | 'footer'
  | 'end'
  | 'segment'
  | 'recovery'
  /** What the ledger says of the session and its tape does not show, or the other way round. */
  | 'ledger'
  /** Of the ledger itself: an entry, a writer's numbering, the silence of one, a checkpoint. */
  | 'entry'
  | 'numbering'
  | 'interim'
  | 'checkpoint'
  /** A third party of the trust policy: it contradicts, or has not attested this. */
  | 'anchor'
  | 'trust'
  /** An authority's statement of when a bundle was there. */
  | 'timestamp'

export interface Problem {
  /** Which verdict it leads to, on its own. */
  readonly verdict: 'INVALID' | 'UNVERIFIABLE' | 'UNTRUSTED' | 'VALID-INCOMPLETE'
  readonly part: ProblemPart
  /** One sentence. */
  readonly what: string
  /** The stored object, and the byte in it where the part begins. */
  readonly object: string
  readonly offset?: number
  readonly chunk?: number
  /** The first bad frame, where it can be told. */
  readonly frame?: number
  /** Where it cannot: the frames among which it is, both included. */
  readonly frames?: readonly [first: number, last: number]
  /** The ledger's entry, counted from 0. */
  readonly entry?: number
}

export interface TapeVerification {
  readonly session: string
  readonly verdict: VerifyVerdict
  readonly exit: number
  /**
   * `open`: no end; being recorded, crashed and not recovered yet, or cut: the tape alone cannot tell. `unreadable`: no header.
   * Of sessions that only the ledger knows: `missing`: there is no tape of it; `absent`: nothing of it ever reached the store; `deleted`: by retention.
   */
  readonly state: 'sealed' | 'recovered' | 'open' | 'unreadable' | 'missing' | 'absent' | 'deleted'
  /** Frames read whole and found unchanged, recovered ones included. */
  readonly frames: number
  readonly chunks: number
  /** Attested only by the gateway that recovered them. */
  readonly recovered: { readonly first: number; readonly last: number; readonly by: string; readonly at: string } | null
  /** Frames read whole behind a break in the chain: unchanged as far as their own chunk says, but nothing leads from them to the gateway's key. */
  readonly unattested: number
  /** The last frame reached without a break, and its time in microseconds from the start; null where there is none. */
  readonly lastGood: { readonly frame: number; readonly atUs: number; readonly chunk: number } | null
  readonly durability: string | null
  readonly lossWindow: string | null
  /** Who signed, by which key, as the header says. */
  readonly signer: { readonly gateway: string; readonly algorithm: string; readonly keyId: string } | null
  /** The seal's root, hex. */
  readonly root: string | null
  /** Of an excerpt: which frames it discloses (`frames` of them are good), and how many more the tape has. */
  readonly excerpt?: { readonly disclosed: readonly (readonly [first: number, last: number])[]; readonly hidden: number }
  /** In the order found, at most MAX_PROBLEMS. */
  readonly problems: readonly Problem[]
  readonly problemCount: number
}

/** One writer of the ledger: a process that records, a console, a command. */
export interface LedgerWriter {
  readonly gateway: string
  readonly entries: number
  readonly sessions: number
  /** `silent`: it records no more and did not say so (gateway.stop). `other`: it is not one that records. */
  readonly state: 'running' | 'stopped' | 'silent' | 'other'
  /** Of its last entry. */
  readonly lastAt: string
  /** Sessions that were open when it was last heard of. */
  readonly open: number
}

export interface LedgerVerification {
  readonly verdict: VerifyVerdict
  readonly exit: number
  readonly origin: string | null
  /** Leaves of the tree: entries and what is none. */
  readonly size: number
  /** Lines that are no entries: torn by a crash, or written by a stranger. They are passed over. */
  readonly malformed: number
  /** Of all leaves, hex; null where there is no ledger. */
  readonly root: string | null
  readonly checkpoints: number
  /** The newest checkpoint that a trusted key has signed. */
  readonly checkpoint: { readonly size: number; readonly root: string; readonly object: string } | null
  readonly writers: readonly LedgerWriter[]
  /** In the order found, at most MAX_PROBLEMS. */
  readonly problems: readonly Problem[]
  readonly problemCount: number
}

/** A third party of a trust policy, and the newest checkpoint it has attested. */
export interface Attestation {
  readonly name: string
  readonly kind: 'witness' | 'timestamp' | 'anchor'
  readonly size: number | null
  /** ISO 8601, by its own word; null where it states no time. */
  readonly at: string | null
}

export interface TrustVerification {
  /** INVALID where an anchor contradicts, UNTRUSTED where the policy is met by no checkpoint at all; tapes have their own. */
  readonly verdict: VerifyVerdict
  /** Entries of the ledger that enough of them vouch for: those before this one. Null: none. */
  readonly size: number | null
  readonly attestations: readonly Attestation[]
  readonly problems: readonly Problem[]
}

export interface Verification {
  readonly path: string
  /** The worst of the tapes' and the ledger's. */
  readonly verdict: VerifyVerdict
  readonly exit: number
  /** `given`: keys the caller named. `beside`: keys that lay beside the tapes, which whoever changed the tapes could have changed too. */
  readonly trust: 'given' | 'beside' | 'none'
  readonly frames: number
  readonly tapes: readonly TapeVerification[]
  /** Null where there is none, or where it was not looked at: one session's folder tells nothing of the others. */
  readonly ledger: LedgerVerification | null
  /** By a trust policy; absent where none was given. */
  readonly policy?: TrustVerification
  /** What stands among the tapes and is no part of any, by key: not evidence, and not looked at. At most MAX_FOREIGN. */
  readonly foreign: readonly string[]
  readonly foreignCount: number
}

/** Worst first. */
const ORDER: readonly VerifyVerdict[] = ['INVALID', 'UNVERIFIABLE', 'UNTRUSTED', 'VALID-INCOMPLETE', 'DELETED-BY-POLICY', 'VALID']

/** VALID for none. */
export function worstVerdict(verdicts: Iterable<VerifyVerdict>): VerifyVerdict {
  const present = new Set(verdicts)
  return ORDER.find((verdict) => present.has(verdict)) ?? 'VALID'
}
