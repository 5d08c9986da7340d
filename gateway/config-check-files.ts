import { readFile } from 'node:fs/promises'
import type { Config, Console, Listener } from '../schemas/config.ts'
import type { TlsTerms } from '../schemas/config-parts.ts'
import { ApplianceError } from '../schemas/errors.ts'
import { PROTOCOL_NAMES } from '../schemas/session.ts'
import type { Problem, Secrets } from './config-check.ts'
import { notifySecrets } from './config-check-approvals.ts'
import { signInSecrets } from './config-check-identity.ts'
import { siemSecrets } from './config-check-siem.ts'
import { configuredAuthority } from './credentials/egress-authority.ts'
import { contextOf } from './credentials/listener-context.ts'
import { configuredPair } from './credentials/listener-tls.ts'
import { certificateIn } from './credentials/pem-pair.ts'
import { readSecret } from './credentials/upstream.ts'
import { databasePlace } from './database-place.ts'

/** An ssh listener has none. */
export function tlsOf(listener: Config['listeners'][keyof Config['listeners']]): NonNullable<Listener['tls']> {
  return listener !== undefined && 'tls' in listener && listener.tls !== undefined ? listener.tls : {}
}

interface Check {
  readonly at: Problem['at']
  readonly work: Promise<unknown>
}

/**
 * Files and variables that the configuration names and that are not there, or are not what they should be. Certificates are looked at, too:
 * the listeners would refuse them one after the other. `secrets` 'store': the store's key alone.
 */
export async function unusableFiles(
  config: Config,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv,
  secrets: Secrets,
): Promise<Problem[]> {
  const checks = secrets === 'all' ? servingChecks(config, from, env) : []
  const storeKey = config.store?.blob.key
  if (storeKey !== undefined) checks.push({ at: ['store', 'blob', 'key'], work: readSecret(storeKey, from, env) })
  const results = await Promise.allSettled(checks.map(({ work }) => work))
  return results.flatMap((result, index) => {
    const at = checks[index]?.at ?? []
    return result.status === 'fulfilled'
      ? []
      : [{ at, message: result.reason instanceof Error ? result.reason.message : String(result.reason) }]
  })
}

function servingChecks(config: Config, from: (path: string) => string, env: NodeJS.ProcessEnv): Check[] {
  const checks: Check[] = []
  const file = (at: Problem['at'], path: string | undefined): void => {
    if (path !== undefined) checks.push({ at, work: readSecret({ file: path }, from, env) })
  }
  const authorities = (at: Problem['at'], path: string | undefined): void => {
    if (path !== undefined)
      checks.push({ at, work: readSecret({ file: path }, from, env).then((pem) => certificateIn(pem, from(path))) })
  }
  const shown = (at: Problem['at'], { cert, key, ...terms }: NonNullable<Console['tls']> = {}): void => {
    file([...at, 'key'], key)
    file([...at, 'cert'], cert)
    if (cert !== undefined && key !== undefined)
      checks.push({ at: [...at, 'cert'], work: usable(configuredPair({ certFile: from(cert), keyFile: from(key) })) })
    checks.push({ at: [...at, 'ciphers'], work: spoken(terms) })
  }
  file(['policy'], config.policy)
  for (const protocol of PROTOCOL_NAMES) {
    const { mode: _, ...tls } = tlsOf(config.listeners[protocol])
    shown(['listeners', protocol, 'tls'], tls)
  }
  for (const { at, source } of signInSecrets(config)) checks.push({ at, work: readSecret(source, from, env) })
  if (config.shared !== undefined)
    checks.push({ at: ['shared', 'url'], work: databasePlace('shared.url', config.shared, from, env) })
  const { url, ...login } = config.catalog ?? {}
  if (url !== undefined) checks.push({ at: ['catalog', 'url'], work: databasePlace('catalog.url', { url, ...login }, from, env) })
  for (const { at, source } of [...notifySecrets(config), ...siemSecrets(config)])
    checks.push({ at, work: readSecret(source, from, env) })
  for (const [index, path] of (config.listeners.ssh?.hostKeys ?? []).entries())
    file(['listeners', 'ssh', 'hostKeys', index], path)
  for (const [index, each] of (config.siem ?? []).entries())
    if ('syslog' in each) authorities(['siem', index, 'syslog', 'tls', 'ca'], each.syslog.tls?.ca)
  shown(['console', 'tls'], config.console?.tls)
  const { authority } = config.listeners.egress ?? {}
  if (authority !== undefined) {
    file(['listeners', 'egress', 'authority', 'cert'], authority.cert)
    file(['listeners', 'egress', 'authority', 'key'], authority.key)
    const files = { certFile: from(authority.cert), keyFile: from(authority.key) }
    checks.push({ at: ['listeners', 'egress', 'authority'], work: usable(configuredAuthority(files)) })
  }
  for (const [index, { credential = {}, tls, egress }] of config.targets.entries()) {
    const at = ['targets', index]
    const { password, certificate, privateKey, userCertificate } = credential
    file([...at, 'credential', 'userCertificate'], userCertificate)
    if (privateKey !== undefined)
      checks.push({ at: [...at, 'credential', 'privateKey'], work: readSecret(privateKey, from, env) })
    if (password !== undefined) checks.push({ at: [...at, 'credential', 'password'], work: readSecret(password, from, env) })
    if (certificate !== undefined) {
      file([...at, 'credential', 'certificate', 'cert'], certificate.cert)
      checks.push({ at: [...at, 'credential', 'certificate', 'key'], work: readSecret(certificate.key, from, env) })
    }
    authorities([...at, 'tls', 'ca'], tls?.ca)
    authorities([...at, 'egress', 'intercept', 'trust'], egress?.intercept?.trust)
  }
  for (const [index, { jwks }] of (config.jwt ?? []).entries()) {
    if ('file' in jwks) checks.push({ at: ['jwt', index, 'jwks', 'file'], work: jsonFile(from(jwks.file)) })
  }
  return checks
}

async function jsonFile(path: string): Promise<void> {
  JSON.parse(await readFile(path, 'utf8'))
}

/** A file that cannot be read is told where it stands. */
async function usable(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (error instanceof ApplianceError) throw error
  })
}

async function spoken(terms: TlsTerms): Promise<void> {
  contextOf(terms)
}
