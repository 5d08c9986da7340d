import { type Static, Type } from 'typebox'
import { closed } from './config-parts.ts'

const Domain = Type.String({
  pattern: '^(\\*\\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$',
  description: 'A host, or `*.` and a domain for every host below it, at any depth',
})

/** What clients reach through a target of egress. */
export const EgressConfig = Type.Object(
  {
    allow: Type.Array(Domain, {
      maxItems: 10_000,
      uniqueItems: true,
      description: 'Hosts that are known; all others are refused unless a rule allows or holds them',
    }),
    ports: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
        minItems: 1,
        maxItems: 500,
        uniqueItems: true,
        description: 'Default: 443 and 80',
      }),
    ),
    networks: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9a-f.:]+/[0-9]{1,3}$' }), {
        maxItems: 500,
        uniqueItems: true,
        description: 'Loopback and private networks, in CIDR, that names may lead to; where identities are handed out never',
      }),
    ),
  },
  { ...closed, description: 'egress: what clients reach through the proxy' },
)
export type EgressConfig = Static<typeof EgressConfig>
