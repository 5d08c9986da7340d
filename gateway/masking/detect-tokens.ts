import { DOUBLE_QUOTE, HYPHEN } from './ascii.ts'
import { ALNUM, BASE64URL, type ByteSet, beginsWord, bounds, byteAt, byteSet, HEX, runEnd, startsWith, WORD } from './bytes.ts'
import type { Detector } from './detector.ts'
import type { EntityName } from './rules.ts'

/** A token known by how it begins: `size` counts the bytes behind the prefix. */
interface TokenShape {
  readonly prefixes: readonly string[]
  readonly body: ByteSet
  readonly size: readonly [min: number, max: number]
  /** The body must hold a digit and both a letter, so that names and words do not count. */
  readonly mixed?: boolean
}

const UPPER_BASE32 = byteSet('A-Z0-9')
const PERCENT_BASE64 = byteSet('A-Za-z0-9+/=%_-')
const STANDARD_BASE64 = byteSet('A-Za-z0-9+/=')
const PATH = byteSet('A-Za-z0-9/_-')
const ENTRA = byteSet('A-Za-z0-9_~.-')
/** Longer tokens than any vendor makes are still tokens; behind this size they go on as a tail. */
const MAX_TOKEN_SIZE = 1024

const SHAPES: readonly (readonly [EntityName, TokenShape])[] = [
  // AWS IAM User Guide, "unique identifiers": AKIA long-term, ASIA temporary, ABIA bearer, ACCA context-specific.
  ['aws-access-key-id', { prefixes: ['AKIA', 'ASIA', 'ABIA', 'ACCA'], body: UPPER_BASE32, size: [16, 16] }],
  // GitHub docs, "token formats".
  ['github-token', { prefixes: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], body: ALNUM, size: [36, 255] }],
  ['github-token', { prefixes: ['github_pat_'], body: WORD, size: [36, 255] }],
  // GitLab docs, "token overview: token prefixes".
  [
    'gitlab-token',
    {
      prefixes: [
        'glpat-',
        'gloas-',
        'gldt-',
        'glrt-',
        'glrtr-',
        'glcbt-',
        'glptt-',
        'glft-',
        'glimt-',
        'glagent-',
        'glwt-',
        'glsoat-',
        'glffct-',
      ],
      body: byteSet('A-Za-z0-9_.-'),
      size: [20, 300],
    },
  ],
  ['gitlab-token', { prefixes: ['GR1348941'], body: BASE64URL, size: [20, 20] }],
  // Slack docs, "token types".
  [
    'slack-token',
    {
      prefixes: ['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xoxo-', 'xoxe-', 'xoxd-', 'xoxc-', 'xoxe.xox'],
      body: byteSet('A-Za-z0-9%-'),
      size: [10, 400],
      mixed: true,
    },
  ],
  ['slack-token', { prefixes: ['xapp-'], body: BASE64URL, size: [20, 400], mixed: true }],
  [
    'slack-token',
    {
      prefixes: ['hooks.slack.com/services/', 'hooks.slack.com/workflows/', 'hooks.slack.com/triggers/'],
      body: PATH,
      size: [20, 200],
    },
  ],
  // Stripe docs, "API keys": secret and restricted; publishable ones are public.
  [
    'stripe-key',
    { prefixes: ['sk_live_', 'sk_test_', 'sk_prod_', 'rk_live_', 'rk_test_', 'rk_prod_'], body: ALNUM, size: [10, 255] },
  ],
  ['stripe-key', { prefixes: ['whsec_'], body: byteSet('A-Za-z0-9+/='), size: [24, 255], mixed: true }],
  ['anthropic-key', { prefixes: ['sk-ant-'], body: BASE64URL, size: [24, 255] }],
  [
    'openai-key',
    { prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-None-'], body: BASE64URL, size: [20, 300], mixed: true },
  ],
  ['openai-key', { prefixes: ['sk-'], body: ALNUM, size: [40, 60], mixed: true }],
  ['npm-token', { prefixes: ['npm_'], body: ALNUM, size: [36, 36] }],
  // Google Cloud docs: API keys, OAuth client secrets, OAuth access tokens.
  ['google-api-key', { prefixes: ['AIza'], body: BASE64URL, size: [35, 35] }],
  ['google-api-key', { prefixes: ['GOCSPX-'], body: BASE64URL, size: [28, 28] }],
  ['google-api-key', { prefixes: ['ya29.'], body: BASE64URL, size: [20, 1000], mixed: true }],
  // As their vendors' documentation shows them: Hugging Face, SendGrid, Docker, Tailscale, Grafana, DigitalOcean, PyPI, Shopify,
  // Databricks, Doppler, New Relic, Postman.
  ['vendor-token', { prefixes: ['hf_'], body: ALNUM, size: [34, 34] }],
  ['vendor-token', { prefixes: ['SG.'], body: byteSet('A-Za-z0-9_.-'), size: [66, 66], mixed: true }],
  ['vendor-token', { prefixes: ['dckr_pat_'], body: BASE64URL, size: [27, 27] }],
  ['vendor-token', { prefixes: ['tskey-'], body: byteSet('A-Za-z0-9-'), size: [16, 100], mixed: true }],
  ['vendor-token', { prefixes: ['glsa_'], body: WORD, size: [41, 41] }],
  ['vendor-token', { prefixes: ['dop_v1_'], body: HEX, size: [64, 64] }],
  ['vendor-token', { prefixes: ['pypi-AgEI'], body: BASE64URL, size: [50, 1000] }],
  ['vendor-token', { prefixes: ['shpat_', 'shpss_'], body: HEX, size: [32, 32] }],
  ['vendor-token', { prefixes: ['dapi'], body: HEX, size: [32, 32] }],
  ['vendor-token', { prefixes: ['dp.pt.'], body: ALNUM, size: [40, 44] }],
  ['vendor-token', { prefixes: ['NRAK-'], body: UPPER_BASE32, size: [27, 27] }],
  ['vendor-token', { prefixes: ['PMAK-'], body: byteSet('A-Za-z0-9-'), size: [59, 59] }],
  // Our own access keys: 256 bits in base64url.
  ['sallyport-key', { prefixes: ['sp_'], body: BASE64URL, size: [43, 43] }],
]

/** Values whose name stands before them and is not masked: Azure Storage connection strings and shared access signatures. */
const NAMED: readonly (readonly [EntityName, TokenShape])[] = [
  [
    'azure-storage-key',
    { prefixes: ['AccountKey=', 'SharedAccessKey=', 'sharedaccesskey=', 'accountkey='], body: STANDARD_BASE64, size: [40, 128] },
  ],
  ['azure-sas', { prefixes: ['?sig=', '&sig=', ';sig=', ' sig='], body: PERCENT_BASE64, size: [32, 200], mixed: true }],
]

function tokenDetector(entity: EntityName, shape: TokenShape, prefix: string, maskPrefix: boolean): Detector {
  const { body, size, mixed = false } = shape
  const [min, max] = size
  const isOpenEnded = max >= 255
  return {
    entity,
    triggers: [prefix],
    verify(bytes, from, at, to, probe) {
      const start = at - prefix.length
      if (maskPrefix && !beginsWord(bytes, start, from)) return false
      const end = runEnd(body, bytes, at, Math.min(to, at + MAX_TOKEN_SIZE))
      probe.seen = end
      if (end - at < min || (end - at > max && !isOpenEnded)) return false
      if (mixed && !isMixed(bytes, at, end)) return false
      probe.start = maskPrefix ? start : at
      probe.end = end
      if (end - at === MAX_TOKEN_SIZE) probe.tail = { set: body }
      return true
    },
  }
}

/** Entra ID client secrets: 3 characters, a digit, `Q~`, 31 to 34 more. */
const azureClientSecret: Detector = {
  entity: 'azure-client-secret',
  triggers: ['\\dQ~'],
  verify(bytes, from, at, to, probe) {
    const start = at - 6
    if (start < from || !bounds(ENTRA, bytes, start - 1, from, to)) return false
    if (runEnd(ENTRA, bytes, start, at) !== at) return false
    const end = runEnd(ENTRA, bytes, at, Math.min(to, at + 40))
    probe.seen = end
    if (end - at < 31 || end - at > 34) return false
    probe.start = start
    probe.end = end
    return true
  },
}

const PEM_BODY = byteSet('A-Za-z0-9+/=\\ \t\r\n"-')
const PEM_HEAD = byteSet('A-Z0-9 ')
/** Headers (`Proc-Type`, `DEK-Info`, `Version`) between a PEM's first line and its body. */
const MAX_PEM_HEADERS_SIZE = 512
/** A run of this many base64 characters is key material, not prose about it. */
const MIN_PEM_BODY_RUN = 24

/** Private keys in PEM (RFC 7468) or OpenPGP armour (RFC 9580 6.2), the END line included; truncated ones too. */
const pemPrivateKey: Detector = {
  entity: 'pem-private-key',
  triggers: ['PRIVATE KEY-----', 'PRIVATE KEY BLOCK-----'],
  verify(bytes, from, at, to, probe) {
    let start = at - (byteAt(bytes, at - 6) === 0x4b ? 22 : 16)
    while (start > from && PEM_HEAD[byteAt(bytes, start - 1)] === 1) start--
    start -= 5
    if (start < from || !startsWith(bytes, start, to, '-----BEGIN ')) return false
    // Behind the head comes a line's end, written out or escaped, or the body itself: not the quote of code that looks for heads.
    if (at >= to || PEM_BODY[byteAt(bytes, at)] !== 1 || byteAt(bytes, at) === DOUBLE_QUOTE) return false
    const limit = Math.min(to, at + MAX_PEM_HEADERS_SIZE)
    for (let i = at; i < limit; ) {
      const end = runEnd(STANDARD_BASE64, bytes, i, Math.min(to, i + MIN_PEM_BODY_RUN))
      if (end - i >= MIN_PEM_BODY_RUN) {
        probe.start = start
        probe.end = end
        probe.tail = PEM_TAIL
        return true
      }
      if (end < to && byteAt(bytes, end) === HYPHEN && startsWith(bytes, end, to, '-----')) break
      i = end + 1
    }
    probe.seen = limit
    return false
  },
}
/** To the second run of five hyphens: those that close the END line. */
const PEM_TAIL = { set: PEM_BODY, stop: 0x2d, stopRun: 5, stops: 2, takeStop: true } as const

const MAX_JWT_HEADER_SIZE = 2048
const MIN_JWT_PART_SIZE = 8
const JWS_TAIL = { set: byteSet('A-Za-z0-9_.-'), stop: 0x2e, stops: 3 } as const
const JWE_TAIL = { set: byteSet('A-Za-z0-9_.-'), stop: 0x2e, stops: 5 } as const

/** JSON Web Tokens in compact form: JWS (RFC 7515), unsecured ones too, and JWE (RFC 7516). */
const jwt: Detector = {
  entity: 'jwt',
  triggers: ['eyJ', 'ewog', 'ewoJ'],
  verify(bytes, from, at, to, probe) {
    let start = at - 3
    if (byteAt(bytes, start) !== 0x65 || byteAt(bytes, start + 1) === 0x77) start = at - 4
    if (byteAt(bytes, at - 3) === 0x65 && byteAt(bytes, at - 2) === 0x79) start = at - 3
    if (start < from || !bounds(BASE64URL, bytes, start - 1, from, to)) return false
    const dot = runEnd(BASE64URL, bytes, at, Math.min(to, start + MAX_JWT_HEADER_SIZE))
    probe.seen = dot
    probe.start = start
    if (dot - start >= MAX_JWT_HEADER_SIZE) {
      // Longer than any header should be: JSON in base64url of any length is hidden as one.
      probe.end = dot
      probe.tail = JWS_TAIL
      return true
    }
    if (dot - start < MIN_JWT_PART_SIZE || dot >= to || byteAt(bytes, dot) !== 0x2e) return false
    const isEncrypted = hasEnc(bytes, start, dot)
    const end = runEnd(BASE64URL, bytes, dot + 1, Math.min(to, dot + 1 + MIN_JWT_PART_SIZE))
    probe.seen = end
    if (!isEncrypted && end - dot - 1 < MIN_JWT_PART_SIZE) return false
    probe.end = dot
    probe.tail = isEncrypted ? JWE_TAIL : JWS_TAIL
    return true
  },
}

/** Whether a base64url text holds `"enc"`, at any of the three alignments. */
function hasEnc(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i + 5 <= end; i++) {
    const byte = byteAt(bytes, i)
    if (byte === 0x49 && startsWith(bytes, i, end, 'ImVuYy')) return true
    if (byte === 0x4a && startsWith(bytes, i, end, 'JlbmMi')) return true
    if (byte === 0x69 && startsWith(bytes, i, end, 'iZW5jI')) return true
  }
  return false
}

function isMixed(bytes: Uint8Array, start: number, end: number): boolean {
  let hasDigit = false
  let hasLetter = false
  for (let i = start; i < end; i++) {
    const byte = byteAt(bytes, i)
    if (byte >= 0x30 && byte <= 0x39) hasDigit = true
    else if (ALNUM[byte] === 1) hasLetter = true
  }
  return hasDigit && hasLetter
}

export const TOKEN_DETECTORS: readonly Detector[] = [
  ...SHAPES.flatMap(([entity, shape]) => shape.prefixes.map((prefix) => tokenDetector(entity, shape, prefix, true))),
  ...NAMED.flatMap(([entity, shape]) => shape.prefixes.map((prefix) => tokenDetector(entity, shape, prefix, false))),
  azureClientSecret,
  pemPrivateKey,
  jwt,
]
