import { type Static, Type } from 'typebox'
import { Approvers, closed, Name } from './config-parts.ts'

const RetentionRule = Type.Object(
  {
    name: Name('Stands in the ledger beside each tape that is deleted under it'),
    targets: Type.Optional(Type.Array(Name('A target'), { minItems: 1, uniqueItems: true })),
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Of the target, as recorded; all of them', minProperties: 1 }),
    ),
    keep: Type.String({ pattern: '^[1-9][0-9]{0,4}d$', description: 'Days from the end of a session, `365d`' }),
  },
  closed,
)
export type RetentionRule = Static<typeof RetentionRule>

export const RetentionConfig = Type.Object(
  {
    approvers: Approvers,
    rules: Type.Array(RetentionRule, {
      minItems: 1,
      maxItems: 256,
      description: 'Of several that match the longest counts; what none matches is kept',
    }),
  },
  { ...closed, description: 'How long tapes are kept, and who besides the one who asks must approve each deletion' },
)
export type RetentionConfig = Static<typeof RetentionConfig>
