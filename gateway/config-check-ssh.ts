import type { Config } from '../schemas/config.ts'
import { loginWayOf } from '../schemas/config-identity.ts'
import type { Problem } from './config-check.ts'

/** Everything about ssh in a well-formed configuration that could not be enforced as it stands. */
export function sshProblems(config: Config): Problem[] {
  return [...config.targets.flatMap(targetProblems), ...keyProblems(config), ...deviceProblems(config)]
}

/** Who signs in by a browser shows what the issuer gives: that has to be taken here. */
function deviceProblems({ listeners, console: web, jwt = [] }: Config): Problem[] {
  if (listeners.ssh?.deviceLogin !== true) return []
  const at = ['listeners', 'ssh', 'deviceLogin']
  const oidc = web?.signIn?.oidc
  if (oidc === undefined) return [{ at, message: 'needs an issuer to sign in at: console.signIn.oidc' }]
  const { issuer, clientId } = loginWayOf(oidc)
  if (jwt.some((each) => each.issuer === issuer && each.audience === clientId)) return []
  return [{ at, message: `nobody could prove themselves: jwt needs an entry with issuer ${issuer} and audience ${clientId}` }]
}

function targetProblems(
  { protocol, hostKeys, hostAuthorities, hostName, database, tls, credential = {} }: Config['targets'][number],
  index: number,
): Problem[] {
  const problems: Problem[] = []
  const add = (at: Problem['at'], message: string): void => void problems.push({ at: ['targets', index, ...at], message })
  const { privateKey, userCertificate, certificate, password, keyVault } = credential
  if (protocol !== 'ssh') {
    if (hostKeys !== undefined) add(['hostKeys'], `are of ssh targets, not of ${protocol}`)
    if (hostAuthorities !== undefined) add(['hostAuthorities'], `are of ssh targets, not of ${protocol}`)
    if (hostName !== undefined) add(['hostName'], `is of ssh targets, not of ${protocol}`)
    if (userCertificate !== undefined) add(['credential', 'userCertificate'], `is for ssh, not for ${protocol}`)
    if (privateKey !== undefined) add(['credential', 'privateKey'], `is for ssh, not for ${protocol}`)
    return problems
  }
  if (hostKeys === undefined && hostAuthorities === undefined)
    add([], 'an ssh target needs its hostKeys or hostAuthorities: without them anybody on the way could be it')
  if (hostName !== undefined && hostAuthorities === undefined)
    add(['hostName'], 'is what a host certificate must name; there are no hostAuthorities')
  if (userCertificate !== undefined && privateKey === undefined)
    add(['credential', 'userCertificate'], 'is nothing without its privateKey')
  if (tls !== undefined) add(['tls'], 'ssh has no TLS: hostKeys say who the target is')
  if (database !== undefined) add(['database'], 'an ssh target has none')
  if (certificate !== undefined)
    add(
      ['credential', 'certificate'],
      'is a TLS certificate; an ssh target takes privateKey, with a userCertificate, or a password',
    )
  if ([privateKey, password, keyVault].filter((source) => source !== undefined).length !== 1)
    add(['credential'], 'give one of privateKey, password and keyVault')
  return problems
}

/** A key is somebody's, not several people's. */
function keyProblems({ identities = [] }: Config): Problem[] {
  const seen = new Set<string>()
  return identities.flatMap(({ sshKeys = [] }, index) =>
    sshKeys.flatMap((line, position) => {
      const key = line.split(' ')[1] ?? ''
      if (!seen.has(key)) {
        seen.add(key)
        return []
      }
      return [{ at: ['identities', index, 'sshKeys', position], message: 'stands here twice: every key is its own' }]
    }),
  )
}
