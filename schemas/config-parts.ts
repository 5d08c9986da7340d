import { type Static, Type } from 'typebox'

/** What the parts of the configuration are put together from. */

export const closed = { additionalProperties: false } as const
export const Name = (description: string) => Type.String({ pattern: '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$', description })
export const Path = (description: string) => Type.String({ minLength: 1, description: `${description}; relative to this file` })
export const Group = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$' })
export const Groups = Type.Array(Group, { uniqueItems: true })
export const Approvers = Type.Object(
  {
    groups: Type.Array(Groups.items, { minItems: 1, uniqueItems: true }),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, default: 1, description: 'Different people' })),
  },
  { ...closed, description: 'Who decides' },
)
/** Without blanks, control characters and what is not seen (zero-width, direction): two names must not look like one. */
export const Subject = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: '^[^\\s\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]+$',
})
export const Port = Type.Integer({ minimum: 1, maximum: 65_535 })
export const oneOf = <T extends string>(names: readonly T[]) =>
  Type.Unsafe<T>(Type.Union(names.map((name) => Type.Literal(name))))
/** `45m`, `8h`. */
export const Duration = (description: string) => Type.String({ pattern: '^[1-9][0-9]{0,3}[mh]$', description })

/** What TLS is spoken on the side of those who come here. */
export const TlsTerms = {
  minVersion: Type.Optional(
    Type.Unsafe<'TLSv1.2' | 'TLSv1.3'>({
      ...oneOf(['TLSv1.2', 'TLSv1.3'] as const),
      default: 'TLSv1.2',
      description: 'The oldest TLS that is spoken',
    }),
  ),
  ciphers: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_:!+@=-]{1,1024}$',
      description: "Cipher suites in OpenSSL's words, best first; without it Node's own list",
    }),
  ),
}

export interface TlsTerms {
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
}

/** A secret is named, never written here: the environment variable or the file that holds it. */
export const SecretSource = Type.Union([
  Type.Object({ env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }) }, closed),
  Type.Object({ file: Path('A file that holds the secret; a trailing newline is ignored') }, closed),
])
export type SecretSource = Static<typeof SecretSource>

export const ClientId = Type.String({
  pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
  description: 'Of a user-assigned managed identity',
})
export const IdentityKind = Type.Union([Type.Literal('managed'), Type.Literal('default')], {
  default: 'managed',
  description: '`managed`: the managed identity of this machine. `default`: whatever a developer is signed in with',
})
/** Who the gateway is in Azure, where it may be several. */
export const AzureIdentity = { identity: Type.Optional(IdentityKind), clientId: Type.Optional(ClientId) }
export const VaultUrl = Type.String({
  pattern: '^https://[A-Za-z0-9.-]+(:[0-9]+)?$',
  description: 'https://<name>.vault.azure.net',
})
export const VaultName = Type.String({ pattern: '^[0-9A-Za-z-]{1,127}$' })

export const TargetPath = Type.String({
  pattern: '^(/[A-Za-z0-9][A-Za-z0-9._~-]*){1,16}$',
  maxLength: 500,
  description: 'For kubernetes: where its API server is found at that host, like /k8s/clusters/c-abc',
})
