import { lookup } from 'node:dns/promises'
import { BlockList, connect, isIP, isIPv6, type Socket } from 'node:net'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings } from '../../config.ts'
import { isIdentityEndpoint, isMetadata } from '../../hosts.ts'
import type { Place } from '../../policy/http/egress-facts.ts'

const CONNECT_MS = 10_000
/** Of a name with several addresses so many are tried. */
const MAX_TRIED = 3

/** IPv4 that is nobody's on the internet (RFC 6890 and its registry). */
const SPECIAL = listOf([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // What leads to IPv4 again, and what is for documents.
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
])
/** All there is of IPv6 on the internet: loopback, unique local, link-local, IPv4-mapped and translated ones are outside of it. */
const GLOBAL_V6 = listOf(['2000::/3'])

/**
 * A connection to where a client wants to go. The name is resolved once, every address it has is checked, and what is connected to is one of
 * these addresses and not the name. Rejects TARGET_DENIED for what may not be reached, TARGET_UNREACHABLE for what cannot be.
 */
export async function dial(
  place: Pick<Place, 'host' | 'port'>,
  settings: EgressSettings,
  signal: AbortSignal,
  resolve: (host: string) => Promise<readonly { readonly address: string }[]> = (host) => lookup(host, { all: true }),
): Promise<Socket> {
  const { host, port } = place
  if (!settings.ports.includes(port))
    throw new ApplianceError('TARGET_DENIED', `port ${port} is not to be reached from here: ${settings.ports.join(', ')} may be`)
  const addresses = await addressesOf(host, resolve)
  const networks = listOf(settings.networks)
  // One that is refused refuses the name: who answers it so has a reason.
  for (const address of addresses) check(address, port, networks)
  let failed: unknown
  for (const address of addresses.slice(0, MAX_TRIED)) {
    signal.throwIfAborted()
    try {
      const socket = await open(address, port, signal)
      try {
        // What was resolved is what was connected to; it is looked at all the same.
        check(socket.remoteAddress ?? '', port, networks)
        if (socket.localAddress === socket.remoteAddress && settings.ownPorts.includes(port)) throw denied(address)
      } catch (error) {
        socket.destroy()
        throw error
      }
      return socket
    } catch (error) {
      if (signal.aborted || (error instanceof ApplianceError && error.code === 'TARGET_DENIED')) throw error
      failed = error
    }
  }
  throw new ApplianceError('TARGET_UNREACHABLE', `the host cannot be reached: ${codeOf(failed)}`, { cause: failed })
}

async function addressesOf(
  host: string,
  resolve: (host: string) => Promise<readonly { readonly address: string }[]>,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  try {
    return (await resolve(host)).map(({ address }) => address)
  } catch (cause) {
    throw new ApplianceError('TARGET_UNREACHABLE', `the host cannot be found: ${codeOf(cause)}`, { cause })
  }
}

/** Throws TARGET_DENIED. What hands out identities is refused whatever is configured. */
function check(address: string, port: number, networks: BlockList): void {
  if (isMetadata(address) || isIdentityEndpoint({ host: address, port })) throw denied(address)
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const open = isIP(address) !== 0 && !SPECIAL.check(address, family) && (family === 'ipv4' || GLOBAL_V6.check(address, family))
  if (!open && !networks.check(address, family)) throw denied(address)
}

function denied(address: string): ApplianceError {
  return new ApplianceError('TARGET_DENIED', `the host leads to ${address}, which is not to be reached from here`)
}

function open(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true })
  return new Promise((resolve, reject) => {
    const leave = (): void => void socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('nobody waits'))
    signal.addEventListener('abort', leave, { once: true })
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no answer')))
    // Stays on: a socket without a listener would take the process with it.
    socket.on('error', reject)
    socket.once('close', () => signal.removeEventListener('abort', leave))
    socket.once('connect', () => {
      signal.removeEventListener('abort', leave)
      socket.setTimeout(0)
      resolve(socket)
    })
  })
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer'
}
