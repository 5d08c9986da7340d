import { type Static, type TProperties, Type } from 'typebox'
import { closed, Path } from './config-parts.ts'

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
    intercept: Type.Optional(
      Type.Object(
        {
          hosts: Type.Array(Type.Union([Domain, Type.Literal('*')]), {
            minItems: 1,
            maxItems: 10_000,
            uniqueItems: true,
            description: 'Hosts whose TLS is opened, `*` for all: clients have to trust the authority of the listener',
          }),
          except: Type.Optional(
            Type.Array(Domain, {
              maxItems: 10_000,
              uniqueItems: true,
              description: 'Hosts whose TLS is not: their clients know them by a certificate, or have one themselves',
            }),
          ),
          trust: Type.Optional(
            Path('PEM certificates of authorities that are believed beside the usual ones, of what is connected to'),
          ),
        },
        { ...closed, description: 'What is read inside TLS; where this is left out, nothing' },
      ),
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

/** Where clients of the forward proxy are let in; `address` and `tls` as of every listener. */
export const EgressListener = <T extends TProperties>(properties: T) =>
  Type.Object(
    {
      ...properties,
      authority: Type.Optional(
        Type.Object(
          { cert: Path('PEM certificate of the authority, and of those above it'), key: Path('Its PEM private key') },
          {
            ...closed,
            description:
              'Signs for the hosts whose TLS is opened; if not given, one of its own, made at the first start: `sallyport egress ca` prints it',
          },
        ),
      ),
    },
    closed,
  )
