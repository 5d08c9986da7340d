import type { Config } from '../schemas/config.ts'
import type { ClaimRules } from '../schemas/config-identity.ts'
import type { SecretSource } from '../schemas/config-parts.ts'
import type { Problem } from './config-check.ts'

/** Addresses of Entra under which tokens of any tenant are issued. */
const ANY_TENANT = /^https:\/\/login\.(microsoftonline\.(com|us)|chinacloudapi\.cn)\/(common|organizations|consumers)\b/

/** What of issuers cannot be meant, or not be enforced. */
export function issuerProblems({ jwt = [], console: settings }: Config): Problem[] {
  const { oidc, saml } = settings?.signIn ?? {}
  const issuers = [
    ...jwt.map((each, index) => ({ each, at: ['jwt', index] as Problem['at'] })),
    ...(oidc === undefined ? [] : [{ each: oidc, at: ['console', 'signIn', 'oidc'] }]),
  ]
  const problems: Problem[] = issuers.flatMap(({ each, at }) => [
    ...(ANY_TENANT.test(each.issuer)
      ? [{ at: [...at, 'issuer'], message: 'issues tokens of any tenant, so anybody would get in: name your own by its id' }]
      : []),
    ...(each.profile === 'entra' && each.claims?.principal !== undefined
      ? [
          {
            at: [...at, 'claims', 'principal'],
            message: 'with the profile entra the human behind an agent is the user of its token: leave it out',
          },
        ]
      : []),
    ...(each.profile === 'entra' && each.principalPrefix !== undefined
      ? [
          {
            at: [...at, 'principalPrefix'],
            message: 'with the profile entra the human behind is of the same tenant, with subjectPrefix: leave it out',
          },
        ]
      : []),
    ...(each.claims?.principal !== undefined && each.subjectPrefix !== undefined && each.principalPrefix === undefined
      ? [
          {
            at: [...at, 'claims', 'principal'],
            message:
              'also give principalPrefix: what makes of this claim the subject of that person at the console ("" for nothing), else they may approve for their own agent',
            others: [[...at, 'subjectPrefix']],
          },
        ]
      : []),
  ])
  if (oidc !== undefined) problems.push(...apart(oidc, jwt))
  // Issuers send browsers back to one address, which they have to be told before.
  if ((oidc ?? saml) !== undefined && settings?.url === undefined && !/^(localhost|127\.|\[::1\])/.test(settings?.address ?? ''))
    problems.push({
      at: ['console', 'signIn'],
      message: 'needs console.url: the address that the issuer sends people back to',
      others: [['console', 'url']],
    })
  return problems
}

/** A person has one subject, whatever they show: with two they could approve for themselves, and come in by the other when kept out. */
function apart(oidc: ClaimRules & { readonly issuer: string }, jwt: NonNullable<Config['jwt']>): Problem[] {
  const named = ({ subjectPrefix = '', profile, claims }: ClaimRules): string =>
    JSON.stringify([subjectPrefix, claims?.subject ?? (profile === 'entra' ? 'oid' : 'sub')])
  return jwt.flatMap((each, index) =>
    authority(each.issuer) !== authority(oidc.issuer) || named(each) === named(oidc)
      ? []
      : [
          {
            at: ['jwt', index, 'issuer'],
            message:
              'names people otherwise than console.signIn.oidc does, which has the same issuer: give both the same subjectPrefix, profile and claims.subject',
            others: [['console', 'signIn', 'oidc']],
          },
        ],
  )
}

/** Entra has several addresses for one tenant (version 1 and 2 of its tokens). */
function authority(issuer: string): string {
  const tenant =
    /^https:\/\/(?:sts\.windows\.net|login\.microsoftonline\.com|login\.microsoftonline\.us)\/([\da-f-]{36})(?:\/|$)/i.exec(
      issuer,
    )?.[1]
  return tenant?.toLowerCase() ?? issuer.replace(/\/$/, '')
}

/** What signing in needs to be there. */
export function signInSecrets({ console: settings }: Config): { readonly at: Problem['at']; readonly source: SecretSource }[] {
  const { oidc, saml } = settings?.signIn ?? {}
  return [
    ...(oidc?.clientSecret === undefined
      ? []
      : [{ at: ['console', 'signIn', 'oidc', 'clientSecret'], source: oidc.clientSecret }]),
    ...(saml?.certificates ?? []).map((file, index) => ({
      at: ['console', 'signIn', 'saml', 'certificates', index],
      source: { file },
    })),
  ]
}
