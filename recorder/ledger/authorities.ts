import { X509Certificate } from 'node:crypto'
import { open } from 'node:fs/promises'
import { ApplianceError } from '../../schemas/errors.ts'

/** Of a file of certificates: every root that a system trusts is a quarter of it. */
const MAX_SIZE = 1 << 20
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates in a PEM file, each by itself. Rejects CONFIG_INVALID where it has none, or one that cannot be read. */
export async function readAuthorities(path: string): Promise<readonly string[]> {
  const file = await open(path)
  let text: string
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_SIZE + 1), 0, MAX_SIZE + 1)
    if (bytesRead > MAX_SIZE) throw invalid(path, `has more than ${MAX_SIZE} bytes`)
    text = buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) throw invalid(path, 'holds no certificate in PEM')
  for (const pem of found) parse(pem, path)
  return found
}

/** Whether one token could count for both: they have a key in common, or one has issued a certificate of the other's. */
export function areOneParty(some: readonly string[], others: readonly string[]): boolean {
  const [left, right] = [some, others].map((all) => all.map((pem) => new X509Certificate(pem)))
  return left?.some((a) => right?.some((b) => a.publicKey.equals(b.publicKey) || hasIssued(a, b) || hasIssued(b, a))) === true
}

function hasIssued(authority: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

function parse(pem: string, path: string): void {
  try {
    new X509Certificate(pem)
  } catch (error) {
    throw invalid(path, `holds a certificate that cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function invalid(path: string, what: string): ApplianceError {
  return new ApplianceError('CONFIG_INVALID', `${path} ${what}`)
}
