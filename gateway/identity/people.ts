import type { People } from '../../recorder/api/parts.ts'
import { ROLES } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Identity } from '../../schemas/session.ts'
import type { ConsoleSettings, Settings } from '../config.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import { expiryOf } from './jwt.ts'
import { identityOf } from './proof.ts'

/** Proof of who came by a one-time link: made by whoever may write the data folder, as access keys are. */
const LINK_PROOF = 'link'

/** Who the console's people are: the identities of the configuration, their keys, and the groups that have roles. */
export function peopleOf(
  settings: Pick<Settings, 'identities' | 'targets' | 'breakGlass' | 'jwt'> & { readonly console: ConsoleSettings },
  doorkeeper: Doorkeeper,
): People {
  const configured = new Map(settings.identities.map((identity) => [identity.subject, identity]))
  const conferred = conferredBy(settings)
  const named = (subject: string, proof: string): Identity | undefined => {
    const found = configured.get(subject)
    return found === undefined ? undefined : identityOf(found, proof)
  }
  return {
    async prove(secret, client, signal) {
      const identity = await doorkeeper.prove({ secret: secret.trim(), client }, signal)
      if (identity.scope !== undefined)
        throw new ApplianceError('AUTH_DENIED', 'this token is for targets alone: it opens neither console nor API')
      const expiresMs = expiryOf(secret.trim())
      return { identity, ...(expiresMs === undefined ? {} : { expiresMs }) }
    },

    async current(identity) {
      const { subject, proof } = identity
      if ((await doorkeeper.whyNot(identity)) !== undefined) return undefined
      if (proof === LINK_PROOF || proof.startsWith('key:')) return named(subject, proof)
      // What an issuer vouched for lasts until it runs out, which ends the sign-in too; unless the issuer is none of ours any more.
      const groups = conferred.get(proof)
      return groups === undefined ? undefined : { ...identity, groups: identity.groups.filter((each) => groups.includes(each)) }
    },

    named: (subject) => named(subject, LINK_PROOF),
    mayBreakGlass: (identity) => mayBreakGlass(settings, identity),
    roles: ({ groups }) => ROLES.filter((role) => settings.console.roles[role]?.some((group) => groups.includes(group))),
    targets: ({ groups }) =>
      [...settings.targets.values()]
        .filter((target) => target.groups.some((group) => groups.includes(group)))
        .map(({ target }) => target.name),
  }
}

/** The groups that each issuer may confer, by what stands as proof of whom it vouched for. */
function conferredBy({
  jwt,
  console: {
    signIn: { oidc, saml },
  },
}: Pick<Settings, 'jwt'> & { readonly console: ConsoleSettings }): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...jwt.map(({ issuer, groups = [] }) => [`jwt:${issuer}`, groups] as const),
    ...(oidc === undefined ? [] : [[`oidc:${oidc.issuer}`, oidc.groups ?? []] as const]),
    ...(saml === undefined ? [] : [[`saml:${saml.idpEntityId}`, saml.groups ?? []] as const]),
  ])
}

/** Whether somebody may approve alone, past the approvers. */
export function mayBreakGlass({ breakGlass }: Pick<Settings, 'breakGlass'>, { groups }: Pick<Identity, 'groups'>): boolean {
  return breakGlass.some((group) => groups.includes(group))
}
