import { inflateRawSync } from 'node:zlib'
import { generate } from 'selfsigned'
import { SignedXml } from 'xml-crypto'

export const IDP = 'https://idp.example.org/saml'
export const ENTITY = 'https://sallyport.example.org'
export const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
export const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256'
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'

export interface SamlKeys {
  readonly certificate: string
  readonly key: string
}

export async function samlKeys(): Promise<SamlKeys> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'idp.example.org' }], { keySize: 2048 })
  return { certificate: cert, key }
}

export interface Assertion {
  readonly acs: string
  /** Id of the request that is answered. */
  readonly request: string
  readonly subject?: string
  readonly groups?: readonly string[]
  readonly id?: string
  readonly audience?: string
  readonly issuer?: string
  readonly recipient?: string
  /** Minutes from now. */
  readonly from?: number
  readonly until?: number
  readonly confirmationRequest?: string
}

/** The AuthnRequest in an address that a browser is sent to. */
export function requestIn(location: string): { readonly id: string; readonly acs: string; readonly xml: string } {
  const deflated = Buffer.from(new URL(location).searchParams.get('SAMLRequest') ?? '', 'base64')
  const xml = inflateRawSync(deflated).toString('utf8')
  return { id: / ID="([^"]+)"/.exec(xml)?.[1] ?? '', acs: /AssertionConsumerServiceURL="([^"]+)"/.exec(xml)?.[1] ?? '', xml }
}

/** An unsigned assertion. */
export function assertionOf({
  acs,
  request,
  subject = 'ada@example.org',
  groups = ['viewers'],
  id = '_assertion',
  audience = ENTITY,
  issuer = IDP,
  recipient = acs,
  from = -1,
  until = 5,
  confirmationRequest = request,
}: Assertion): string {
  const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString()
  const values = groups.map((group) => `<saml:AttributeValue>${group}</saml:AttributeValue>`).join('')
  return `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${id}" Version="2.0" IssueInstant="${at(from)}"><saml:Issuer>${issuer}</saml:Issuer><saml:Subject><saml:NameID>${subject}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="${confirmationRequest}" Recipient="${recipient}" NotOnOrAfter="${at(until)}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${at(from)}" NotOnOrAfter="${at(until)}"><saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="${at(from)}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="groups">${values}</saml:Attribute></saml:AttributeStatement></saml:Assertion>`
}

export function responseOf({ request, acs }: Pick<Assertion, 'request' | 'acs'>, inside: string): string {
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response" Version="2.0" IssueInstant="${new Date().toISOString()}" Destination="${acs}" InResponseTo="${request}"><saml:Issuer>${IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>${inside}</samlp:Response>`
}

/** Signs the element `name` (`Assertion`, `Response`) inside of `xml`, its signature behind its issuer as the schema wants. */
export function signed(
  xml: string,
  { key, certificate }: SamlKeys,
  name: 'Assertion' | 'Response' = 'Assertion',
  { signs, digests } = { signs: RSA_SHA256, digests: SHA256 },
): string {
  const signature = new SignedXml({
    privateKey: key,
    publicCert: certificate,
    signatureAlgorithm: signs,
    canonicalizationAlgorithm: EXCLUSIVE,
  })
  const xpath = `//*[local-name(.)='${name}']`
  signature.addReference({
    xpath,
    digestAlgorithm: digests,
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', EXCLUSIVE],
  })
  signature.computeSignature(xml, { location: { reference: `${xpath}/*[local-name(.)='Issuer']`, action: 'after' } })
  return signature.getSignedXml()
}

/** As a browser posts it. */
export function form(xml: string): URLSearchParams {
  return new URLSearchParams({ SAMLResponse: Buffer.from(xml).toString('base64') })
}
