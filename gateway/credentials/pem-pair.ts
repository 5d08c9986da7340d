import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { ApplianceError } from '../../schemas/errors.ts'

/** Where a certificate and its key were read, for messages. */
export interface PairFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** A certificate (what it was signed by may follow) and its private key can be shown to somebody. PEM. Throws CONFIG_INVALID, by the file and never what is in it. */
export function checkPair(
  { cert, key }: { readonly cert: string; readonly key: string },
  { certFile, keyFile }: PairFiles,
): void {
  const certificate = certificateIn(cert, certFile)
  const privateKey = keyIn(key, keyFile)
  if (!certificate.checkPrivateKey(privateKey)) refuse(`${keyFile} is not the key of the certificate ${certFile}`)
  const ended = Date.parse(certificate.validTo)
  if (ended <= Date.now()) refuse(`the certificate ${certFile} expired on ${new Date(ended).toISOString()}: renew it`)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    refuse(`${certFile} and ${keyFile} cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The first certificate of a file of one or more. PEM. Throws CONFIG_INVALID. */
export function certificateIn(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    return refuse(`${file} has no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
  }
}

function keyIn(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    return refuse(`${file} has no private key in PEM, or one under a passphrase, which nobody could give here`)
  }
}

function refuse(why: string): never {
  throw new ApplianceError('CONFIG_INVALID', why)
}
