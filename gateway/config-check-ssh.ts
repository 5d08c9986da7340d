import type { Config } from '../schemas/config.ts'
import type { Problem } from './config-check.ts'

/** Everything about ssh in a well-formed configuration that could not be enforced as it stands. */
export function sshProblems(config: Config): Problem[] {
  return [...config.targets.flatMap(targetProblems), ...keyProblems(config)]
}

function targetProblems(
  { protocol, hostKeys, database, tls, credential = {} }: Config['targets'][number],
  index: number,
): Problem[] {
  const problems: Problem[] = []
  const add = (at: Problem['at'], message: string): void => void problems.push({ at: ['targets', index, ...at], message })
  const { privateKey, certificate, password, keyVault } = credential
  if (protocol !== 'ssh') {
    if (hostKeys !== undefined) add(['hostKeys'], `are of ssh targets, not of ${protocol}`)
    if (privateKey !== undefined) add(['credential', 'privateKey'], `is for ssh, not for ${protocol}`)
    return problems
  }
  if (hostKeys === undefined) add([], 'an ssh target needs its hostKeys: without them anybody on the way could be it')
  if (tls !== undefined) add(['tls'], 'ssh has no TLS: hostKeys say who the target is')
  if (database !== undefined) add(['database'], 'an ssh target has none')
  if (certificate !== undefined)
    add(['credential', 'certificate'], 'is a TLS certificate; an ssh target takes privateKey or a password')
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
