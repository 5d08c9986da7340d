/** Whether the host of a URL or address is this machine by its name alone; nothing is resolved. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host)
}

/**
 * Whether the host is where a platform hands out identities: link-local (169.254.0.0/16 with its metadata service at .169.254,
 * fe80::/10), Azure's wire server, and the same written as IPv6. Whoever got through to them would be the gateway.
 */
export function isMetadata(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare)
  const v4 = mapped === null ? bare.replace(/^::ffff:/, '') : dotted(mapped[1], mapped[2])
  return /^169\.254\./.test(v4) || v4 === '168.63.129.16' || /^fe[89ab][0-9a-f]:/.test(bare) || bare === 'fd00:ec2::254'
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
