import { type Static, type TSchema, Type } from 'typebox'
import { ERROR_CODES } from './errors.ts'

// What several pages' questions and answers are made of.

export const closed = { additionalProperties: false } as const
export const oneOf = <T extends string>(names: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: [...names] })
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const Count = Type.Integer({ minimum: 0 })
export const DateTime = Type.String({ format: 'date-time' })
export const Cursor = Type.String({ minLength: 1, maxLength: 200, pattern: '^[A-Za-z0-9_-]+$' })
export const Limit = (most: number, usual: number) => Type.Integer({ minimum: 1, maximum: most, default: usual })

/** RFC 9457. `code` is one of ours, `detail` one sentence for people. */
export const ProblemDetails = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: oneOf(ERROR_CODES),
})
export type ProblemDetails = Static<typeof ProblemDetails>

/** How far the catalog is behind the store. `backfill` while tapes from before the start are still being read. */
export const CatalogLag = Type.Object({
  state: oneOf(['backfill', 'following', 'failed']),
  /** Sessions whose tape was not read to its present end. */
  sessions: Count,
  /** Since the catalog last caught up with the store; 0 when it is. */
  behindMs: Count,
})
export type CatalogLag = Static<typeof CatalogLag>
