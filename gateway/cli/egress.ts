import { X509Certificate } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import { loadConfig } from '../config.ts'
import { egressAuthority } from '../credentials/egress-authority.ts'
import { placesIn } from '../places.ts'
import { type Cli, EXIT, findConfig, printJson } from './context.ts'

/** Prints the certificate of the authority that clients of intercepted hosts have to trust, making the authority where there is none yet; never its key. */
export async function egressCa(options: { readonly config?: string; readonly json?: true }, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli))
  const listener = settings.listeners.find(({ protocol }) => protocol === 'egress')
  if (listener === undefined) throw new ApplianceError('CONFIG_INVALID', 'there is no forward proxy: see listeners.egress')
  const own = { keysDir: placesIn(settings.dataDir).keys, gateway: settings.gateway }
  const { cert } = await egressAuthority(listener.authority, own)
  const { subject, validTo, fingerprint256 } = new X509Certificate(cert)
  if (options.json) {
    const sha256 = fingerprint256.replaceAll(':', '').toLowerCase()
    printJson(cli, { subject, notAfter: new Date(validTo).toISOString(), sha256, cert })
    return EXIT.ok
  }
  cli.err(`${subject}, until ${validTo}, SHA-256 ${fingerprint256}\n`)
  cli.out(`${cert.trim()}\n`)
  return EXIT.ok
}
