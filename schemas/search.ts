import { type Static, Type } from 'typebox'
import { ACTS, STATEMENT_OUTCOMES, TEXT_PLACES } from './api-names.ts'
import { closed, oneOf } from './config-parts.ts'
import { PROTOCOL_NAMES } from './session.ts'

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const Count = Type.Integer({ minimum: 0 })
const Cursor = Type.String({ minLength: 1, maxLength: 200, pattern: '^[A-Za-z0-9_-]+$' })

/** `q` is the filter language. Text has three letters or digits in a row at least, or two beside a space or a sign: anything else is everywhere. */
export const SearchQuery = Type.Object(
  {
    q: Type.String({ maxLength: 2_000 }),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Cursor),
    /** Count by identity, target, table, verdict and place as well. */
    facets: Type.Optional(Type.Literal('true')),
  },
  closed,
)
export type SearchQuery = Static<typeof SearchQuery>

/** One place where it was found. Text is untrusted and masked. */
export const SearchHit = Type.Object({
  session: Type.String(),
  frame: Count,
  /** Row of the frame's result, from 0; null where it is no row. */
  row: orNull(Count),
  place: oneOf(TEXT_PLACES),
  at: Type.String({ format: 'date-time' }),
  identity: Type.String(),
  principal: orNull(Type.String()),
  target: Type.String(),
  protocol: oneOf(PROTOCOL_NAMES),
  /** Around the first match, or the beginning. */
  text: Type.String(),
  /** Of the first text looked for, within `text`: where it begins and ends; null where none was. */
  match: orNull(Type.Tuple([Count, Count])),
  /** Of a statement; null elsewhere. */
  statement: orNull(
    Type.Object({
      rows: Count,
      bytesOut: Count,
      masked: Count,
      verdict: orNull(oneOf(ACTS)),
      outcome: oneOf(STATEMENT_OUTCOMES),
      /** The request that held it, or its answer in the middle. */
      approval: orNull(Type.String()),
      objects: Type.Array(Type.String()),
    }),
  ),
})
export type SearchHit = Static<typeof SearchHit>

/** `*` stands for any characters. `since` and `until` by whole hours. */
export const PullQuery = Type.Object(
  {
    table: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    target: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    identity: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    since: Type.Optional(Type.String({ format: 'date-time' })),
    until: Type.Optional(Type.String({ format: 'date-time' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
  },
  closed,
)
export type PullQuery = Static<typeof PullQuery>

/** What an actor (a person with all that act for them) took of one object. */
export const PullTotal = Type.Object({
  family: Type.String(),
  target: Type.String(),
  object: Type.String(),
  rows: Count,
  /** Different ones, by their keys: exact up to 1,024, then an estimate with a standard error of 3.2 %. */
  keys: Count,
  bytes: Count,
  masked: Count,
  statements: Count,
  sessions: Count,
  /** Rows of the largest statement. */
  largest: Count,
})
export type PullTotal = Static<typeof PullTotal>

const Facet = Type.Array(Type.Object({ value: Type.String(), count: Count }))
/** Of the newest hits, at most `of`; most frequent first. */
export const SearchFacets = Type.Object({
  of: Count,
  /** There are more hits than were counted. */
  more: Type.Boolean(),
  identity: Facet,
  target: Facet,
  place: Facet,
  verdict: Facet,
  table: Facet,
})
export type SearchFacets = Static<typeof SearchFacets>
