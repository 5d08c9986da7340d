import { type Static, Type } from 'typebox'
import { Count, closed, DateTime, oneOf, orNull } from './api-parts.ts'
import { FRAMEWORKS } from './bundle.ts'

const Name = Type.String({ minLength: 1, maxLength: 256 })

/** What an audit bundle is to be of: sessions opened in [from, to). */
export const BundleAsk = Type.Object(
  {
    from: DateTime,
    to: DateTime,
    framework: oneOf(FRAMEWORKS),
    /** Sessions of these targets and identities alone; `labels` stand for the targets that have all of them now. */
    scope: Type.Optional(
      Type.Object(
        {
          target: Type.Optional(Type.Array(Name, { maxItems: 1_000 })),
          identity: Type.Optional(Type.Array(Name, { maxItems: 1_000 })),
          labels: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Name)),
        },
        closed,
      ),
    ),
    /** At most 50 MB: recordings of the sample without room are left out, and named. */
    small: Type.Optional(Type.Boolean()),
    /** Sessions drawn, with their recordings. */
    sample: Type.Integer({ minimum: 0, maximum: 10_000 }),
    /** What the sample is drawn by; made up and told where it is left out. */
    seed: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  closed,
)
export type BundleAsk = Static<typeof BundleAsk>

/** A bundle that is being made, or was. */
export const BundleJob = Type.Object({
  id: Type.String(),
  state: oneOf(['running', 'done', 'failed']),
  by: Type.String(),
  startedAt: DateTime,
  from: DateTime,
  to: DateTime,
  framework: oneOf(FRAMEWORKS),
  scope: Type.Object({ target: Type.Array(Type.String()), identity: Type.Array(Type.String()) }),
  seed: Type.String(),
  /** What is being read, and how far. */
  phase: orNull(oneOf(['log', 'tapes', 'sample'])),
  done: Count,
  of: Count,
  /** Of a bundle that is there. */
  size: orNull(Count),
  /** Of its manifest, as the ledger has it. */
  sha256: orNull(Type.String()),
  sessions: Count,
  /** Recordings that are missing, damaged or not ended. */
  gaps: Count,
  /** Why it failed; of one that is done, what it is without. */
  problem: orNull(Type.String()),
})
export type BundleJob = Static<typeof BundleJob>

export const BundleJobs = Type.Object({ bundles: Type.Array(BundleJob) })
export type BundleJobs = Static<typeof BundleJobs>
