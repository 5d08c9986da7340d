import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  rsaWithSha256: '1.2.840.113549.1.1.11',
} as const

/** Bits of KeyUsage (RFC 5280, 4.2.1.3), the first one leftmost. */
const DIGITAL_SIGNATURE = { bits: 0b1000_0000, unused: 7 }
const SIGN_CERTIFICATES_AND_LISTS = { bits: 0b0000_0110, unused: 1 }
/** RFC 5280, 4.1.2.2: at most 20 bytes, positive. */
const SERIAL_SIZE = 16
/** GeneralName (RFC 5280, 4.2.1.6). */
const DNS_NAME = 2
const IP_ADDRESS = 7

export interface CertificateParts {
  /** Common name of the subject. */
  readonly subject: string
  /** PEM, of the subject; of a private key the public half. */
  readonly key: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** Host names and addresses of a server; of an authority, which signs servers and nothing below them, none. */
  readonly names: readonly string[] | 'authority'
}

/**
 * A certificate of X.509 version 3 (RFC 5280) as PEM, signed with SHA-256 by `issuer`, or by its own key where there is none. Keys are EC or RSA.
 * Has the key identifiers that strict clients ask for.
 */
export function issueCertificate(parts: CertificateParts, issuer?: { readonly cert: string; readonly key: string }): string {
  const { subject, key, notBefore, notAfter, names } = parts
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const signing = createPrivateKey(issuer?.key ?? key)
  const above = issuer === undefined ? undefined : pkijs.Certificate.fromBER(new X509Certificate(issuer.cert).raw)
  const ownId = keyIdOf(publicKey)
  const certificate = new pkijs.Certificate()
  certificate.version = 2 // version 3
  const serial = randomBytes(SERIAL_SIZE)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  certificate.serialNumber = new asn1js.Integer({ valueHex: bufferOf(serial) })
  certificate.notBefore = new pkijs.Time({ type: pkijs.TimeType.UTCTime, value: notBefore })
  certificate.notAfter = new pkijs.Time({ type: pkijs.TimeType.UTCTime, value: notAfter })
  certificate.subject.typesAndValues.push(
    new pkijs.AttributeTypeAndValue({ type: OID.commonName, value: new asn1js.Utf8String({ value: subject }) }),
  )
  certificate.issuer = above?.subject ?? certificate.subject
  certificate.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(publicKey)
  const isAuthority = names === 'authority'
  certificate.extensions = [
    extension(
      OID.basicConstraints,
      new pkijs.BasicConstraints(isAuthority ? { cA: true, pathLenConstraint: 0 } : { cA: false }).toSchema(),
      true,
    ),
    extension(OID.keyUsage, usage(isAuthority ? SIGN_CERTIFICATES_AND_LISTS : DIGITAL_SIGNATURE), true),
    extension(OID.subjectKeyIdentifier, new asn1js.OctetString({ valueHex: bufferOf(ownId) })),
    extension(
      OID.authorityKeyIdentifier,
      new pkijs.AuthorityKeyIdentifier({
        keyIdentifier: new asn1js.OctetString({ valueHex: above === undefined ? bufferOf(ownId) : subjectKeyIdOf(above) }),
      }).toSchema(),
    ),
  ]
  if (!isAuthority) {
    const altNames = names.map((name) =>
      isIP(name) === 0
        ? new pkijs.GeneralName({ type: DNS_NAME, value: name })
        : new pkijs.GeneralName({ type: IP_ADDRESS, value: new asn1js.OctetString({ valueHex: bufferOf(bytesOf(name)) }) }),
    )
    certificate.extensions.push(
      extension(OID.extKeyUsage, new pkijs.ExtKeyUsage({ keyPurposes: [OID.serverAuth] }).toSchema()),
      extension(OID.subjectAltName, new pkijs.GeneralNames({ names: altNames }).toSchema()),
    )
  }
  const algorithm =
    signing.asymmetricKeyType === 'rsa'
      ? new pkijs.AlgorithmIdentifier({ algorithmId: OID.rsaWithSha256, algorithmParams: new asn1js.Null() })
      : new pkijs.AlgorithmIdentifier({ algorithmId: OID.ecdsaWithSha256 })
  certificate.signature = algorithm
  certificate.signatureAlgorithm = algorithm
  const signed = new Uint8Array(certificate.encodeTBS().toBER())
  certificate.tbsView = signed
  certificate.signatureValue = new asn1js.BitString({ valueHex: bufferOf(sign('sha256', signed, signing)) })
  return new X509Certificate(Buffer.from(certificate.toSchema().toBER())).toString()
}

function extension(extnID: string, value: { toBER(): ArrayBuffer }, critical = false): pkijs.Extension {
  return new pkijs.Extension({ extnID, critical, extnValue: value.toBER() })
}

function usage({ bits, unused }: typeof DIGITAL_SIGNATURE): asn1js.BitString {
  return new asn1js.BitString({ valueHex: bufferOf(Uint8Array.of(bits)), unusedBits: unused })
}

/** RFC 7093, 2, method 1: the leftmost 160 bits of SHA-256 of the key. */
function keyIdOf(spki: Uint8Array): Uint8Array {
  const { subjectPublicKey } = pkijs.PublicKeyInfo.fromBER(spki)
  return createHash('sha256').update(subjectPublicKey.valueBlock.valueHexView).digest().subarray(0, 20)
}

/** As the issuer's own certificate has it, which is what clients compare. */
function subjectKeyIdOf(certificate: pkijs.Certificate): ArrayBuffer {
  const found = certificate.extensions?.find(({ extnID }) => extnID === OID.subjectKeyIdentifier)?.parsedValue
  if (found instanceof asn1js.OctetString) return bufferOf(found.valueBlock.valueHexView)
  return bufferOf(keyIdOf(new Uint8Array(certificate.subjectPublicKeyInfo.toSchema().toBER())))
}

/** The 4 or 16 bytes of an address. */
function bytesOf(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.'), Number)
  // Brought into the form in which `::` is the only abbreviation.
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = host.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const all = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Uint8Array.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]))
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer
}
