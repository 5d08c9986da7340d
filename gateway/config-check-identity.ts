import type { Config } from '../schemas/config.ts'
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
  ])
  // Issuers send browsers back to one address, which they have to be told before.
  if ((oidc ?? saml) !== undefined && settings?.url === undefined && !/^(localhost|127\.|\[::1\])/.test(settings?.address ?? ''))
    problems.push({
      at: ['console', 'signIn'],
      message: 'needs console.url: the address that the issuer sends people back to',
      others: [['console', 'url']],
    })
  return problems
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
