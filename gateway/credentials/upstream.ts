import { readFile } from 'node:fs/promises'
import { codeOf } from '../../recorder/files.ts'
import type { Config } from '../../schemas/config.ts'
import type { SecretSource } from '../../schemas/config-parts.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { accessToken, vaultSecret } from './azure.ts'
import type { Credential, UpstreamTls } from './credential.ts'

type ConfiguredTarget = Config['targets'][number]

/** Where a target's credential comes from; never the credential itself. */
export type CredentialSource = NonNullable<ConfiguredTarget['credential']> & {
  readonly tls: NonNullable<ConfiguredTarget['tls']>
  readonly hostKeys?: readonly string[]
  readonly hostAuthorities?: readonly string[]
  readonly hostName?: string
  readonly path?: string
  readonly from: (path: string) => string
}

/**
 * Reads the credential anew, so that a rotated file counts from the next session on. Rejects TARGET_REFUSED where a source
 * is gone since the start; the message names the source, never its content.
 */
export async function readCredential(source: CredentialSource, env: NodeJS.ProcessEnv): Promise<Credential> {
  const { user = '', header, impersonate, certificate, privateKey, userCertificate, from } = source
  const { hostKeys, hostAuthorities, hostName, path } = source
  try {
    const password = await passwordOf(source, env)
    return {
      user,
      ...(header === undefined ? {} : { header }),
      ...(impersonate === undefined ? {} : { impersonate }),
      tls: await tlsOf(source),
      ...(password === undefined ? {} : { password }),
      ...(privateKey === undefined ? {} : { privateKey: `${await readSecret(privateKey, from, env)}\n` }),
      ...(userCertificate === undefined ? {} : { certificateLine: await readSecret({ file: userCertificate }, from, env) }),
      ...(hostKeys === undefined ? {} : { hostKeys }),
      ...(hostAuthorities === undefined ? {} : { hostAuthorities }),
      ...(hostName === undefined ? {} : { hostName }),
      ...(path === undefined ? {} : { path }),
      ...(certificate === undefined
        ? {}
        : {
            certificate: {
              cert: await readFile(from(certificate.cert), 'utf8'),
              key: await readSecret(certificate.key, from, env),
            },
          }),
    }
  } catch (error) {
    // To the client it is one thing; the log has the code and the place.
    throw new ApplianceError('TARGET_REFUSED', 'the gateway cannot read its own credential for this target', { cause: error })
  }
}

/** From wherever it is configured to come; undefined where the target asks for none. */
async function passwordOf({ password, keyVault, managedIdentity, from }: CredentialSource, env: NodeJS.ProcessEnv) {
  if (keyVault !== undefined) return vaultSecret(keyVault)
  if (managedIdentity !== undefined) return accessToken(managedIdentity)
  return password === undefined ? undefined : readSecret(password, from, env)
}

/** The secret itself, without a trailing newline. Rejects CONFIG_INVALID naming the source when it is missing or empty. */
export async function readSecret(source: SecretSource, from: (path: string) => string, env: NodeJS.ProcessEnv): Promise<string> {
  if ('env' in source) {
    const value = env[source.env]
    if (value === undefined || value === '')
      throw new ApplianceError('CONFIG_INVALID', `the environment variable ${source.env} is not set`)
    return value
  }
  const path = from(source.file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ApplianceError('CONFIG_INVALID', `${path} cannot be read (${codeOf(error) ?? 'unknown error'})`)
  })
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new ApplianceError('CONFIG_INVALID', `${path} is empty`)
  return value
}

async function tlsOf({ tls, from }: CredentialSource): Promise<UpstreamTls> {
  if (tls.mode !== 'verify') return { mode: tls.mode }
  return {
    mode: 'verify',
    ...(tls.ca === undefined ? {} : { ca: await readFile(from(tls.ca), 'utf8') }),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
  }
}
