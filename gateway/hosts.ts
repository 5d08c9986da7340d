/** Whether the host of a URL or address is this machine by its name alone; nothing is resolved. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host)
}

/**
 * Whether the host is where a platform hands out identities: link-local (169.254.0.0/16 with its metadata service at .169.254,
 * fe80::/10), the services that have addresses elsewhere, and the same written as IPv6 or reached by NAT64. Whoever got through to them would be the gateway.
 */
export function isMetadata(host: string): boolean {
  const bare = oneAddress(host.replace(/^\[|\]$/g, '').toLowerCase())
  const [, high, low] = /^64:ff9b::([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare) ?? []
  const known = high === undefined ? bare : dotted(high, low)
  return /^169\.254\./.test(known) || ELSEWHERE.has(known) || LINK_LOCAL.test(bare)
}

const LINK_LOCAL = /^fe[89ab][0-9a-f]:/

/** Azure's wire server, Alibaba's and Oracle's services; AWS's for machines and for pods, Google's and Oracle's over IPv6. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
])

/**
 * An address of IPv6, in lower case and without brackets, as RFC 5952 writes it, and the IPv4 that is mapped into one as IPv4; anything else as it is. A zone means
 * something with link-local addresses alone, and is kept there.
 */
export function oneAddress(bare: string): string {
  const [, address, zone] = /^([0-9a-f.]*:[0-9a-f:.]*)(?:%(.*))?$/.exec(bare) ?? []
  if (address === undefined) return bare
  const short = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1)
  if (short === undefined) return bare
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? []
  if (high !== undefined) return dotted(high, low)
  return zone !== undefined && LINK_LOCAL.test(short) ? `${short}%${zone}` : short
}

function dotted(high = '0', low = '0'): string {
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

/** Whether the address is this process's own source of tokens, which the platform names in its environment. */
export function isIdentityEndpoint(
  { host, port }: { readonly host: string; readonly port: number },
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  return ['IDENTITY_ENDPOINT', 'MSI_ENDPOINT'].some((name) => {
    const url = URL.parse(env[name] ?? '')
    if (url === null) return false
    const sameHost = url.hostname === host || (isLoopback(url.hostname) && isLoopback(host))
    return sameHost && Number(url.port || (url.protocol === 'https:' ? 443 : 80)) === port
  })
}
