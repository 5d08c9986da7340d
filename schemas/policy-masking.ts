import { type Static, Type } from 'typebox'

/**
 * How a masked value is shown.
 * `tag`: `[MASKED:email:7f3a91c204be]`, the same tag for the same value within the session.
 * `plain`: `[MASKED:card]`, for values few enough to be guessed through their tag.
 * `partial`: the last four letters or digits stay, of an e-mail address its domain.
 * `length`: one `*` per byte.
 * `null`: a whole field masked by its label becomes NULL; elsewhere as `plain`.
 * `text`: the same words for every value.
 */
export const MASK_FORMS = ['tag', 'partial', 'null', 'plain', 'length'] as const

/** What a value of a policy's own pattern has to satisfy beside its shape. */
export const VALIDATOR_NAMES = ['luhn', 'mod-97', 'mod-11', 'mixed', 'phone'] as const
export type ValidatorName = (typeof VALIDATOR_NAMES)[number]

const strict = { additionalProperties: false } as const
const Name = Type.String({ minLength: 1, maxLength: 200 })
const Entity = Type.String({ pattern: '^[a-z][a-z0-9_-]{0,60}$', description: 'the name of an entity, like email' })
export const LabelId = '^[a-z0-9][a-z0-9._-]{0,99}$'

/** The same words for every value: such that they change nothing around them, in JSON, SQL, COPY, a shell. */
const FixedText = Type.Object({ text: Type.String({ pattern: '^[A-Za-z0-9 .,:;#*_()/-]{1,64}$' }) }, strict)
const Form = Type.Union([Type.Enum(MASK_FORMS), FixedText], {
  description: `one of ${MASK_FORMS.join(', ')}, or { text: words } for the same words every time`,
})
export type MaskForm = Static<typeof Form>

export const Label = Type.Object(
  {
    columns: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^.]+\\.[^.]+\\.[^.]+$', description: 'schema.table.column; `*` allowed' }), {
        minItems: 1,
      }),
    ),
    names: Type.Optional(
      Type.Array(Name, { minItems: 1, description: 'patterns of column names, whatever the table; case is ignored' }),
    ),
    entity: Entity,
    mask: Type.Optional(Form),
  },
  strict,
)

export const Detector = Type.Union([
  Type.Enum(['mask', 'ignore']),
  Type.Object({ action: Type.Enum(['mask', 'ignore']), form: Type.Optional(Form) }, strict),
])

/** What a value looks like that only this policy knows. */
export const Pattern = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z][a-z0-9-]{0,60}$', description: 'an id of lower-case letters, digits and `-`' }),
    regex: Type.String({ minLength: 1, maxLength: 1_000, description: 'in the part of RE2 that docs/policy.md describes' }),
    entity: Type.Optional(Entity),
    validator: Type.Optional(Type.Enum(VALIDATOR_NAMES)),
    context: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9_ -]{3,40}$', description: 'lower-case words, 3 to 40 characters' }), {
        minItems: 1,
        maxItems: 50,
      }),
    ),
    mask: Type.Optional(Form),
  },
  strict,
)
export type Pattern = Static<typeof Pattern>
