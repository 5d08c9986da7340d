import { type Static, Type } from 'typebox'
import { closed, SecretSource } from './config-parts.ts'

export const SummaryConfig = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^\\s?#@]+(\\?[^\\s#]*)?$',
      maxLength: 2_000,
      description: 'Whole, like `https://models.internal/v1/chat/completions`; redirects are not followed',
    }),
    model: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:/@-]{1,200}$', description: 'As the endpoint names it' })),
    key: Type.Optional(SecretSource),
    header: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9-]{1,64}$',
        description: 'Takes the key as it is (`api-key`); without it the key is a bearer token',
      }),
    ),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 100_000, default: 30_000 })),
    maxChars: Type.Optional(
      Type.Integer({ minimum: 500, maximum: 200_000, default: 20_000, description: 'Characters of a session that are sent' }),
    ),
  },
  {
    ...closed,
    description:
      'A model that writes a summary of a session when an investigator asks for it (chat completions: `messages` in, `choices[0].message.content` out). Masked text leaves for it; without this, nothing does',
  },
)
export type SummaryConfig = Static<typeof SummaryConfig>
