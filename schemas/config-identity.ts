import { type Static, Type } from 'typebox'
import type { SignInLogin } from './api.ts'
import { closed, Duration, Group, oneOf, Path, SecretSource } from './config-parts.ts'

/** Asymmetric signatures only: with a shared secret every verifier could also issue. */
export const JWT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const

/** TLS, but on this machine. */
const IssuerUrl = Type.String({ pattern: '^https://|^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/]' })
const ClaimName = (options: { readonly default?: string; readonly description?: string } = {}) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 256, ...options }))

const groups = Type.Optional(
  Type.Array(Group, { uniqueItems: true, description: 'The groups this issuer may confer; others are ignored' }),
)
const subjectPrefix = Type.Optional(
  Type.String({ description: 'Put before the subject, so that two issuers cannot name the same person' }),
)
const principalPrefix = Type.Optional(
  Type.String({
    description:
      'Put before the human behind. Default: subjectPrefix; to be said where claims.principal and subjectPrefix are: it has to make of them whom they are at the console',
  }),
)
const claims = Type.Optional(
  Type.Object(
    {
      subject: ClaimName({ description: 'Default: `sub`; with the profile entra `oid`' }),
      groups: ClaimName({ description: 'Default: `groups`; with the profile entra `roles`' }),
      principal: ClaimName({ description: 'Claim that names the human behind; dots go inside, as in `act.sub`' }),
      run: ClaimName({ description: 'Claim that names the piece of work: sessions of one run are found together' }),
      purpose: ClaimName({ description: 'Claim that says what the work is for' }),
      keep: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
          uniqueItems: true,
          maxItems: 16,
          description: 'Further claims that are recorded with each session',
        }),
      ),
    },
    closed,
  ),
)
const profile = Type.Optional(
  Type.Literal('entra', {
    description:
      'Microsoft Entra ID: app roles, too many groups refused, agents told from people by `xms_act_fct` and `xms_sub_fct`, users and apps by `idtyp`',
  }),
)

/** How the claims of a proved token become an identity. */
export const ClaimRules = Type.Object({ groups, subjectPrefix, principalPrefix, claims, profile }, closed)
export type ClaimRules = Static<typeof ClaimRules>

export const JwtIssuer = Type.Object(
  {
    issuer: Type.String({ minLength: 1 }),
    audience: Type.String({ minLength: 1, description: 'Names this gateway; tokens for anybody else are refused' }),
    jwks: Type.Union([Type.Object({ file: Path('A JSON Web Key Set') }, closed), Type.Object({ uri: IssuerUrl }, closed)]),
    algorithms: Type.Optional(Type.Array(oneOf(JWT_ALGORITHMS), { minItems: 1, uniqueItems: true })),
    clockToleranceS: Type.Optional(Type.Integer({ minimum: 0, maximum: 300, default: 30 })),
    kind: Type.Union([Type.Literal('human'), Type.Literal('agent'), Type.Literal('service')], {
      description: 'What the identities of this issuer are, where its profile does not tell',
    }),
    ...ClaimRules.properties,
  },
  closed,
)
export type JwtIssuer = Static<typeof JwtIssuer>

/** What both ways of signing in have. */
const way = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'What the button says' })),
  lasts: Type.Optional(Duration('How long a sign-in lasts at most; the issuer is not asked again meanwhile. Default: 8h')),
}

export const OidcConfig = Type.Object(
  {
    ...way,
    issuer: Type.Unsafe<string>({
      ...IssuerUrl,
      description: 'As its discovery document says, for Entra https://login.microsoftonline.com/<tenant id>/v2.0',
    }),
    clientId: Type.String({ minLength: 1, maxLength: 256 }),
    clientSecret: Type.Optional(SecretSource),
    cliClientId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'Public client of `sallyport login` (device flow). Default: clientId',
      }),
    ),
    scope: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$', default: 'openid profile email' })),
    ...ClaimRules.properties,
  },
  { ...closed, description: 'OpenID Connect: authorization code with PKCE' },
)
export type OidcConfig = Static<typeof OidcConfig>

const DEFAULT_SCOPE = 'openid profile email'

/** How one signs in there without a browser of one's own (device flow). */
export function loginWayOf({ issuer, clientId, cliClientId = clientId, scope = DEFAULT_SCOPE }: OidcConfig): SignInLogin {
  return { issuer, clientId: cliClientId, scope }
}

export const SamlConfig = Type.Object(
  {
    ...way,
    entryPoint: Type.Unsafe<string>({ ...IssuerUrl, description: 'Where people are sent (HTTP-Redirect binding)' }),
    idpEntityId: Type.String({ minLength: 1, description: 'Who signs: the Issuer of its assertions' }),
    certificates: Type.Array(Path('PEM certificate its signatures are checked by; two while one is being replaced'), {
      minItems: 1,
      maxItems: 4,
      uniqueItems: true,
    }),
    entityId: Type.String({ minLength: 1, description: 'Who we are there: the audience of its assertions' }),
    groups,
    subjectPrefix,
    attributes: Type.Optional(
      Type.Object(
        {
          subject: ClaimName({ description: 'Attribute that names the person. Default: the NameID' }),
          groups: ClaimName({ description: 'Default: `groups`' }),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'SAML 2.0; the assertion has to be signed, whatever else is' },
)
export type SamlConfig = Static<typeof SamlConfig>

export const SignInConfig = Type.Object(
  { oidc: Type.Optional(OidcConfig), saml: Type.Optional(SamlConfig) },
  { ...closed, minProperties: 1, description: 'How people sign in beside access keys and one-time links' },
)
export type SignInConfig = Static<typeof SignInConfig>
