import { createHash, randomBytes } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { ApplianceError } from '../../schemas/errors.ts'

/** A token is a few kilobytes with its certificates; more is not one. */
const MAX_RESPONSE_SIZE = 64 << 10
const ANSWER_TIMEOUT_MS = 10_000
const NONCE_SIZE = 16

const OID = {
  sha256: '2.16.840.1.101.3.4.2.1',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  signedData: '1.2.840.113549.1.7.2',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const

/** What a timestamp authority attests: that these bytes existed at `at`. */
export interface Timestamp {
  /** ISO 8601. */
  readonly at: string
  /** Subject of the certificate that signed, as `CN=..., O=...`. */
  readonly authority: string
}

/**
 * Asks a timestamp authority (RFC 3161 over HTTP) for a token over SHA-256 of `message`. Resolves with the DER of the whole response,
 * granted and for this request; who signed it is left to `checkTimestamp`. Rejects RECORDER_FAILED.
 */
export async function requestTimestamp(url: string, message: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const nonce = positive(randomBytes(NONCE_SIZE))
  const request = new pkijs.TimeStampReq({
    version: 1,
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: OID.sha256, algorithmParams: new asn1js.Null() }),
      hashedMessage: new asn1js.OctetString({ valueHex: bufferOf(sha256(message)) }),
    }),
    nonce: new asn1js.Integer({ valueHex: bufferOf(nonce) }),
    certReq: true,
  })
  try {
    const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body: Buffer.from(request.toSchema().toBER()),
      // The address was configured; wherever it would send us was not.
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    const response = await bounded(answer)
    const { info } = read(response)
    if (!Buffer.from(info.messageImprint.hashedMessage.valueBlock.valueHexView).equals(sha256(message)))
      throw new Error('its token is over something else')
    if (info.nonce === undefined || !Buffer.from(info.nonce.valueBlock.valueHexView).equals(nonce))
      throw new Error('its token answers another request')
    return response
  } catch (cause) {
    throw new ApplianceError('RECORDER_FAILED', `no timestamp from ${url}: ${wordsOf(cause)}`, { cause })
  }
}

/**
 * Whether `response` is a timestamp over `message` by an authority whose certificate leads to one of `trusted` (PEM, certificate authorities)
 * at the time it states. Checks RFC 3161 section 2.3 (critical extended key usage, time stamping only) and the signer named by
 * the signed attribute of RFC 5035. Rejects TAPE_MALFORMED, saying what is wrong.
 */
export async function checkTimestamp(response: Uint8Array, message: Uint8Array, trusted: readonly string[]): Promise<Timestamp> {
  try {
    const { signed, info } = read(response)
    if (info.messageImprint.hashAlgorithm.algorithmId !== OID.sha256) throw new Error('its imprint is not by SHA-256')
    const result = await signed.verify({
      signer: 0,
      data: bufferOf(message),
      trustedCerts: trusted.map(certificateOf),
      checkChain: true,
      // Revocation is for whoever runs the authority's root program: tokens carry no answers about it.
      passedWhenNotRevValues: true,
      extendedMode: true,
    })
    const signer = result.signerCertificate
    if (result.signatureVerified !== true || signer === undefined || signer === null) throw new Error('its signature is wrong')
    checkPurpose(signer)
    checkSigner(signed, signer)
    return { at: info.genTime.toISOString(), authority: subjectOf(signer) }
  } catch (cause) {
    throw new ApplianceError('TAPE_MALFORMED', `the timestamp does not hold: ${wordsOf(cause)}`, { cause })
  }
}

function read(response: Uint8Array): { readonly signed: pkijs.SignedData; readonly info: pkijs.TSTInfo } {
  const { status, timeStampToken } = pkijs.TimeStampResp.fromBER(bufferOf(response))
  // granted, or granted with changes: RFC 3161 section 2.4.2
  if (status.status !== pkijs.PKIStatus.granted && status.status !== pkijs.PKIStatus.grantedWithMods)
    throw new Error(`the authority refused it (status ${status.status})`)
  if (timeStampToken === undefined || timeStampToken.contentType !== OID.signedData) throw new Error('there is no token in it')
  const signed = new pkijs.SignedData({ schema: timeStampToken.content })
  const { eContentType, eContent } = signed.encapContentInfo
  if (eContentType !== OID.tstInfo || eContent === undefined) throw new Error('its token states no time')
  if (signed.signerInfos.length !== 1) throw new Error(`it has ${signed.signerInfos.length} signatures`)
  return { signed, info: pkijs.TSTInfo.fromBER(eContent.getValue()) }
}

function checkPurpose(signer: pkijs.Certificate): void {
  const usage = signer.extensions?.find(({ extnID }) => extnID === OID.extendedKeyUsage)
  const parsed: unknown = usage?.parsedValue
  const purposes = parsed instanceof pkijs.ExtKeyUsage ? parsed.keyPurposes : []
  if (usage?.critical !== true || purposes.length !== 1 || purposes[0] !== OID.timeStamping)
    throw new Error('its signer is no timestamp authority')
}

/** Without this another certificate of the same key could be put in the signer's place. */
function checkSigner(signed: pkijs.SignedData, signer: pkijs.Certificate): void {
  const der = Buffer.from(signer.toSchema(true).toBER())
  for (const { type, values } of signed.signerInfos[0]?.signedAttrs?.attributes ?? []) {
    if (type !== OID.signingCertificate && type !== OID.signingCertificateV2) continue
    const hash = firstCertHash(values[0])
    const algorithm = type === OID.signingCertificate ? 'sha1' : HASH_OF_SIZE[hash?.length ?? 0]
    if (hash !== undefined && algorithm !== undefined && createHash(algorithm).update(der).digest().equals(hash)) return
    throw new Error('it names another signer')
  }
  throw new Error('it does not name its signer')
}

const HASH_OF_SIZE: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' }

/** The first octet string in `SigningCertificate(V2) ::= SEQUENCE { SEQUENCE OF SEQUENCE { [algorithm], certHash, ... } }`. */
function firstCertHash(value: unknown): Buffer | undefined {
  let node: unknown = value
  for (let depth = 0; depth < 3 && node instanceof asn1js.Sequence; depth++) {
    const hash = node.valueBlock.value.find((one) => one instanceof asn1js.OctetString)
    if (hash instanceof asn1js.OctetString) return Buffer.from(hash.valueBlock.valueHexView)
    node = node.valueBlock.value[0]
  }
  return undefined
}

function certificateOf(pem: string): pkijs.Certificate {
  const body = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/.exec(pem)?.[1]
  if (body === undefined) throw new Error('a trusted certificate is not PEM')
  return pkijs.Certificate.fromBER(bufferOf(Buffer.from(body, 'base64')))
}

const NAMES: Readonly<Record<string, string>> = { '2.5.4.3': 'CN', '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.6': 'C' }

function subjectOf(certificate: pkijs.Certificate): string {
  return certificate.subject.typesAndValues
    .map(({ type, value }) => `${NAMES[type] ?? type}=${String(value.valueBlock.value)}`)
    .join(', ')
}

async function bounded(answer: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of answer.body ?? []) {
    size += piece.length
    if (size > MAX_RESPONSE_SIZE) throw new Error(`it answered more than ${MAX_RESPONSE_SIZE} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** As a DER INTEGER stands: positive, and no byte more than needed. */
function positive(bytes: Buffer): Buffer {
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** The library wants buffers of their own. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const own = new ArrayBuffer(bytes.length)
  new Uint8Array(own).set(bytes)
  return own
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
