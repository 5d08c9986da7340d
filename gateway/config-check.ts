import { vaultScope } from '../recorder/azure/vault.ts'
import type { Config } from '../schemas/config.ts'
import type { SignInConfig } from '../schemas/config-identity.ts'
import { PROTOCOL_NAMES, samePerson } from '../schemas/session.ts'
import { attesterProblems } from './attesters.ts'
import { approvalProblems } from './config-check-approvals.ts'
import { authorityProblems, egressProblems } from './config-check-egress.ts'
import { tlsOf, unusableFiles } from './config-check-files.ts'
import { issuerProblems } from './config-check-identity.ts'
import { siemProblems } from './config-check-siem.ts'
import { sshProblems } from './config-check-ssh.ts'
import { isIdentityEndpoint, isLoopback, isMetadata } from './hosts.ts'
import { storeProblems } from './store-place.ts'

/** A mistake and where it stands, as a path of keys and indexes. */
export interface Problem {
  readonly at: readonly (string | number)[]
  readonly message: string
  /** What else the check went by: with a mistake in there, this one may be none (YamlFile.mistake). */
  readonly others?: readonly Problem['at'][]
}

/** Which secrets and files must be there: what serving needs, or what opening the store does. */
export type Secrets = 'all' | 'store'

/** Where the groups come from that somebody can be in. */
const GROUPS = [
  ['identities', '*', 'groups'],
  ['jwt', '*', 'groups'],
  ['console', 'signIn'],
]

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):/

/** Everything in a well-formed configuration that could not be enforced as it stands. */
export async function problemsOf(
  config: Config,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv | undefined,
  secrets: Secrets = 'all',
): Promise<readonly Problem[]> {
  return [
    ...listenerProblems(config),
    ...addressProblems(config),
    ...identityProblems(config),
    ...targetProblems(config, secrets === 'all' ? env : undefined),
    ...sshProblems(config),
    ...authorityProblems(config),
    ...raiseProblems(config),
    ...storeProblems(config),
    ...(await attesterProblems(config, from)),
    ...(config.signer === undefined ? [] : vaultProblems(config.signer.keyVault.vault, ['signer', 'keyVault', 'vault'])),
    ...consoleProblems(config),
    ...issuerProblems(config),
    ...(config.catalog !== undefined && config.console === undefined
      ? [{ at: ['catalog'], message: 'only the console asks the catalog, and there is none', others: [['console']] }]
      : []),
    ...approvalProblems(config, knownGroups(config)),
    ...siemProblems(config),
    ...duplicates(
      config.targets.map(({ name }) => name),
      'targets',
      'name',
    ),
    ...duplicates(
      (config.identities ?? []).map(({ subject }) => subject),
      'identities',
      'subject',
    ),
    ...duplicates(
      (config.ledger?.timestamps ?? []).map(({ name }) => name),
      ['ledger', 'timestamps'],
      'name',
    ),
    ...duplicates(
      (config.ledger?.anchors ?? []).map(({ name }) => name),
      ['ledger', 'anchors'],
      'name',
    ),
    ...duplicates(
      (config.retention?.rules ?? []).map(({ name }) => name),
      ['retention', 'rules'],
      'name',
    ),
    ...duplicates(
      (config.jwt ?? []).map(({ issuer }) => issuer),
      'jwt',
      'issuer',
    ),
    ...catalogProblems(config),
    ...(env === undefined ? [] : await unusableFiles(config, from, env, secrets)),
  ]
}

/** The groups somebody can be in: those of identities, and those a token may confer. */
export function knownGroups(config: {
  readonly identities?: Readonly<Config['identities']>
  readonly jwt?: Readonly<Config['jwt']>
  readonly console?: { readonly signIn?: SignInConfig }
}): ReadonlySet<string> {
  const { oidc, saml } = config.console?.signIn ?? {}
  return new Set([
    ...(oidc?.groups ?? []),
    ...(saml?.groups ?? []),
    ...(config.identities ?? []).flatMap(({ groups = [] }) => groups),
    ...(config.jwt ?? []).flatMap(({ groups = [] }) => groups),
  ])
}

function catalogProblems({ catalog }: Config): Problem[] {
  return catalog?.managedIdentity !== undefined && catalog.url === undefined
    ? [{ at: ['catalog', 'managedIdentity'], message: 'there is no url it could log in to' }]
    : []
}

function listenerProblems({ listeners, targets }: Config): Problem[] {
  return PROTOCOL_NAMES.flatMap((protocol) => {
    const listener = listeners[protocol]
    if (listener === undefined) return []
    const at = ['listeners', protocol]
    const problems: Problem[] = []
    const { mode = 'required', cert, key } = tlsOf(listener)
    if ((cert === undefined) !== (key === undefined))
      problems.push({ at: [...at, 'tls'], message: 'cert and key belong together: give both or neither' })
    if (mode === 'optional' && !LOOPBACK.test(listener.address)) {
      problems.push({
        at: [...at, 'tls', 'mode'],
        message: `optional sends access keys in clear; only on loopback, not on ${listener.address}`,
      })
    }
    if (Number(listener.address.slice(listener.address.lastIndexOf(':') + 1)) > 65_535) {
      problems.push({ at: [...at, 'address'], message: 'the port is above 65535' })
    }
    if (!targets.some((target) => target.protocol === protocol))
      problems.push({
        at,
        message: `no target speaks ${protocol}, so nothing can be reached here`,
        others: [['targets', '*', 'protocol']],
      })
    return problems
  })
}

/** The system would say so at the start, of one after the other. */
function addressProblems({ listeners, console: web, monitoring }: Config): Problem[] {
  const places = [
    ...PROTOCOL_NAMES.map((protocol) => ({ at: ['listeners', protocol, 'address'], address: listeners[protocol]?.address })),
    { at: ['console', 'address'], address: web?.address },
    { at: ['monitoring', 'address'], address: monitoring?.address },
  ].flatMap(({ at, address }) => (address === undefined || address.endsWith(':0') ? [] : [{ at, address }]))
  return places.flatMap(({ at, address }, index) => {
    const taken = places.slice(0, index).find((before) => overlap(before.address, address))
    if (taken === undefined) return []
    const where = taken.at.slice(0, -1).join('.')
    return [{ at, message: `${where} listens there already (${taken.address}): give it a port of its own`, others: [taken.at] }]
  })
}

const EVERYWHERE = ['*', '0.0.0.0', '[::]']

function overlap(one: string, other: string): boolean {
  const [[host, port], [otherHost, otherPort]] = [one, other].map((address) => {
    const end = address.lastIndexOf(':')
    return [address.slice(0, end).toLowerCase(), Number(address.slice(end + 1))]
  }) as [[string, number], [string, number]]
  if (port !== otherPort) return false
  return host === otherHost || EVERYWHERE.includes(host) || EVERYWHERE.includes(otherHost)
}

function consoleProblems(config: Config): Problem[] {
  const { console: settings } = config
  if (settings === undefined) return []
  const { address, tls, url, roles } = settings
  const problems: Problem[] = []
  const add = (at: Problem['at'], message: string, others: Problem['others'] = []): void =>
    void problems.push({ at: ['console', ...at], message, others })
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) add(['tls'], 'cert and key belong together: give both or neither')
  if (Number(address.slice(address.lastIndexOf(':') + 1)) > 65_535) add(['address'], 'the port is above 65535')
  if (tls === undefined && !LOOPBACK.test(address) && !url?.startsWith('https:')) {
    add(
      ['address'],
      `without tls access keys and evidence go in clear; only on loopback, or behind a proxy whose https:// url is given, not on ${address}`,
    )
  }
  const known = knownGroups(config)
  for (const [role, groups = []] of Object.entries(roles)) {
    for (const [position, group] of groups.entries())
      if (!known.has(group))
        add(['roles', role, position], `nobody can be in the group ${group}: no identity has it and no issuer confers it`, GROUPS)
  }
  return problems
}

function targetProblems(config: Config, env: NodeJS.ProcessEnv | undefined): Problem[] {
  const { targets, listeners } = config
  const known = knownGroups(config)
  return targets.flatMap((target, index) => {
    const at = ['targets', index]
    const problems: Problem[] = target.groups.flatMap((group, position) =>
      known.has(group)
        ? []
        : [
            {
              at: [...at, 'groups', position],
              message: `nobody can be in the group ${group}: no identity has it and no issuer confers it`,
              others: GROUPS,
            },
          ],
    )
    // Whoever got through to it would be the gateway: not even an administrator may mean that.
    const { host = '*', port = 0 } = target
    if (isMetadata(host) || isIdentityEndpoint({ host, port }, env))
      problems.push({ at: [...at, 'host'], message: `${host} hands out the identities of this platform: no target` })
    if ((target.protocol === 'http' || target.protocol === 'kubernetes') && /[/?#@\s]/.test(host))
      problems.push({
        at: [...at, 'host'],
        message: `"${host}" is no name or address of a host: the port goes into port, of kubernetes a path in front of /api into path`,
      })
    if (target.path !== undefined && target.protocol !== 'kubernetes')
      problems.push({
        at: [...at, 'path'],
        message: `a path is of kubernetes targets, not of ${target.protocol}: clients give theirs`,
      })
    // With another mistake in it the target may only look like one that lacks something.
    for (const { at: inside, message } of egressProblems(target)) problems.push({ at: [...at, ...inside], message, others: [at] })
    const others = [[...at, 'protocol']]
    problems.push(...credentialProblems(target).map(({ at: inside, message }) => ({ at: [...at, ...inside], message, others })))
    if (listeners[target.protocol] === undefined) {
      problems.push({
        at: [...at, 'protocol'],
        message: `no listener speaks ${target.protocol}, so this target cannot be reached`,
        others: [['listeners', target.protocol]],
      })
    }
    if (target.tls !== undefined && target.tls.mode !== 'verify' && (target.tls.ca ?? target.tls.serverName) !== undefined) {
      problems.push({
        at: [...at, 'tls'],
        message: `ca and serverName mean nothing with mode ${target.tls.mode}: nothing is verified`,
      })
    }
    return problems
  })
}

function raiseProblems({ recording, targets }: Config): Problem[] {
  return (recording?.raise ?? []).flatMap(({ labels = {} }, index) => {
    const wanted = Object.entries(labels)
    return targets.some((target) => wanted.every(([name, value]) => target.labels?.[name] === value))
      ? []
      : [
          {
            at: ['recording', 'raise', index, 'labels'],
            message: 'no target has all of these labels, so nothing is raised',
            others: [['targets', '*', 'labels']],
          },
        ]
  })
}

function credentialProblems({ credential, protocol, host = '*', hosts, tls }: Config['targets'][number]): Problem[] {
  if (credential === undefined) return []
  const problems: Problem[] = []
  const { password, keyVault, managedIdentity } = credential
  const add = (at: string[], message: string): void => void problems.push({ at: ['credential', ...at], message })
  if ([password, keyVault, managedIdentity].filter((source) => source !== undefined).length > 1)
    add([], 'give one of password, keyVault and managedIdentity')
  const http = protocol === 'http' || protocol === 'kubernetes'
  if (credential.user === undefined && !http) add([], `${protocol} logs in by name: user is missing`)
  if (credential.header !== undefined && !http) add(['header'], `headers are http's, not ${protocol}'s`)
  if (credential.impersonate !== undefined && protocol !== 'kubernetes')
    add(['impersonate'], `impersonation is of kubernetes, not of ${protocol}`)
  if (hosts !== undefined && !http)
    problems.push({ at: ['hosts'], message: `hosts are http's: ${protocol} targets are asked for by name` })
  if (managedIdentity !== undefined && protocol !== 'postgres' && !http)
    add(['managedIdentity'], `tokens are for postgres, http and kubernetes, not for ${protocol}`)
  if (managedIdentity !== undefined && http !== (managedIdentity.scope !== undefined))
    add(['managedIdentity'], http ? 'scope is missing: whose API the token is for' : `${protocol} has one scope: leave it out`)
  // The token goes as a password in the clear, and opens whatever the identity may open.
  if (managedIdentity !== undefined && (tls?.mode ?? 'verify') !== 'verify' && !isLoopback(host))
    add(['managedIdentity'], 'a token is only sent over verified TLS: tls.mode verify')
  if (keyVault !== undefined) problems.push(...vaultProblems(keyVault.vault, ['credential', 'keyVault', 'vault']))
  return problems
}

/** Tokens for vaults are sent to vaults. */
function vaultProblems(url: string, at: Problem['at']): Problem[] {
  try {
    vaultScope(url)
    return []
  } catch (error) {
    return [{ at, message: error instanceof Error ? error.message : String(error) }]
  }
}

/** What works, but is told at every start: connections to targets that anybody on the way could read or take over. */
export function warningsOf(
  targets: Iterable<{ readonly name: string; readonly host: string; readonly tls: 'off' | 'unverified' | 'verify' }>,
): readonly string[] {
  return [...targets].flatMap(({ name, host, tls }) =>
    tls === 'verify' || isLoopback(host)
      ? []
      : [`target ${name}: tls.mode ${tls} to ${host} can be listened to or taken over on the way; use verify`],
  )
}

function identityProblems({ identities = [], jwt = [] }: Config): Problem[] {
  const problems: Problem[] = identities.flatMap(({ kind, principal, subject }, index) =>
    principal !== undefined && (kind === 'human' || samePerson(principal) === samePerson(subject))
      ? [
          {
            at: ['identities', index, 'principal'],
            message: 'a principal is the human behind an agent or service, and somebody else',
            others: [['identities', index]],
          },
        ]
      : [],
  )
  const keys = identities.flatMap(({ keys: own = [] }, index) =>
    own.map((key, position) => ({ key, at: ['identities', index, 'keys', position] })),
  )
  for (const field of ['id', 'sha256'] as const) {
    const seen = new Set<string>()
    for (const { key, at } of keys) {
      if (seen.has(key[field])) problems.push({ at: [...at, field], message: 'stands here twice: every key is its own' })
      seen.add(key[field])
    }
  }
  for (const { key, at } of keys)
    if (key.expires !== undefined && Number.isNaN(Date.parse(key.expires)))
      problems.push({ at: [...at, 'expires'], message: `${key.expires} is a moment that no clock here has` })
  if (identities.length === 0 && jwt.length === 0)
    problems.push({ at: [], message: 'nobody can knock: neither identities nor jwt is given', others: [['identities'], ['jwt']] })
  return problems
}

function duplicates(names: readonly string[], list: string | readonly string[], field: string): Problem[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) < index ? [{ at: [list, index, field].flat(), message: `${name} stands here twice` }] : [],
  )
}
