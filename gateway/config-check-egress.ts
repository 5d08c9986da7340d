import { isIP } from 'node:net'
import type { Config } from '../schemas/config.ts'
import type { Problem } from './config-check.ts'

/** A target of egress is where its clients go, and the gateway proves nothing there. */
export function egressProblems(target: Config['targets'][number]): Problem[] {
  const { protocol, egress } = target
  const problems: Problem[] = []
  if (protocol !== 'egress') {
    for (const field of ['host', 'port', 'credential'] as const)
      if (target[field] === undefined) problems.push({ at: [], message: `a target of ${protocol} needs its ${field}` })
    if (egress !== undefined) problems.push({ at: ['egress'], message: `is of egress targets, not of ${protocol}` })
    return problems
  }
  if (egress === undefined) problems.push({ at: [], message: 'a target of egress needs egress: what may be reached' })
  for (const field of ['host', 'port', 'credential', 'tls', 'database'] as const)
    if (target[field] !== undefined)
      problems.push({ at: [field], message: 'means nothing for egress: clients say where they go' })
  for (const [index, network] of (egress?.networks ?? []).entries()) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address)
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128))
      problems.push({ at: ['egress', 'networks', index], message: `${network} is no network in CIDR notation` })
  }
  return problems
}

/** Clients of gateways on several machines could trust but one of the authorities that each makes for itself. */
export function authorityProblems({ shared, listeners, targets }: Config): Problem[] {
  if (shared === undefined || listeners.egress === undefined || listeners.egress.authority !== undefined) return []
  return targets.flatMap(({ egress }, index) =>
    egress?.intercept === undefined
      ? []
      : [
          {
            at: ['targets', index, 'egress', 'intercept'],
            message:
              'with shared.url each gateway would sign by an authority of its own: give listeners.egress.authority, the same for all',
            others: [['shared'], ['listeners', 'egress']],
          },
        ],
  )
}
