import { base64Bytes, base64Of } from './bytes.ts'
import { ApplianceError } from './errors.ts'
import { type Certificate, HASH_SIZE, MAX_VERSION, SALT_SIZE } from './tape.ts'

export const EXCERPT_FORMAT = 'sallyport excerpt'
export const EXCERPT_VERSION = 1
/** What an excerpt's file is called behind the session's id; verifiers know it by this. */
export const EXCERPT_ENDING = '.excerpt.json'
/** What every excerpt begins with: one that was renamed is known by it. */
const EXCERPT_HEAD = `{"format": "${EXCERPT_FORMAT}"`
export const EXCERPT_HEAD_SIZE = EXCERPT_HEAD.length

/** Whether a file with this name and these first bytes is an excerpt. */
export function isExcerptFile(name: string, head: Uint8Array): boolean {
  return name.endsWith(EXCERPT_ENDING) || new TextDecoder().decode(head.subarray(0, EXCERPT_HEAD_SIZE)) === EXCERPT_HEAD
}

/** An excerpt is read whole. */
export const MAX_EXCERPT_SIZE = 256 << 20
/** A chunk has no more than 2^24 frames: the least frame has more than a byte, a chunk less than 16 MiB. */
const MAX_PATH_LENGTH = 24

/** Whatever is signed, in the order of the tape. */
export type ExcerptLink =
  | { readonly kind: 'segment'; readonly statement: Uint8Array }
  | { readonly kind: 'chunk'; readonly header: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'seal'; readonly statement: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'recovery'; readonly statement: Uint8Array; readonly certificate: Certificate | undefined }

export interface ExcerptFrame {
  readonly seq: number
  readonly salt: Uint8Array
  readonly frame: Uint8Array
  /** From the leaf to its chunk's root. */
  readonly path: readonly Uint8Array[]
}

/** Some frames of a tape, and what proves them (docs/tape-format.md, "Excerpt"). Without the salt key: what is hidden cannot be guessed. */
export interface Excerpt {
  readonly session: string
  readonly header: { readonly statement: Uint8Array; readonly certificate: Certificate | undefined }
  readonly chain: readonly ExcerptLink[]
  /** First and last of each run, ascending and apart. */
  readonly disclosed: readonly (readonly [first: number, last: number])[]
  readonly frames: readonly ExcerptFrame[]
}

/** One JSON value, a member a line where that helps a reader. */
export function encodeExcerpt({ session, header, chain, disclosed, frames }: Excerpt): string {
  const certificate = (one: Certificate | undefined): unknown =>
    one === undefined ? null : [one.gateway, one.algorithm, one.keyId, base64Of(one.signature)]
  const link = (one: ExcerptLink): unknown => {
    switch (one.kind) {
      case 'segment':
        return { segment: base64Of(one.statement) }
      case 'chunk':
        return { chunk: base64Of(one.header), signature: base64Of(one.signature) }
      case 'seal':
        return { seal: base64Of(one.statement), signature: base64Of(one.signature) }
      case 'recovery':
        return { recovery: base64Of(one.statement), certificate: certificate(one.certificate) }
      default:
        return one satisfies never
    }
  }
  const frame = (one: ExcerptFrame): unknown => ({
    seq: one.seq,
    salt: base64Of(one.salt),
    frame: base64Of(one.frame),
    path: one.path.map(base64Of),
  })
  const lines = (items: readonly unknown[]): string => items.map((item) => `\n  ${JSON.stringify(item)}`).join(',')
  return `{"format": ${JSON.stringify(EXCERPT_FORMAT)}, "v": ${EXCERPT_VERSION}, "session": ${JSON.stringify(session)},
 "header": ${JSON.stringify({ statement: base64Of(header.statement), certificate: certificate(header.certificate) })},
 "chain": [${lines(chain.map(link))}],
 "disclosed": ${JSON.stringify(disclosed)},
 "frames": [${lines(frames.map(frame))}]}
`
}

/** A mark before the text is not part of JSON (RFC 8259 section 8.1), and stays to be refused. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const MAX_DEPTH = 16
/** Of a number in digits; 2^53 has as many. */
const NOT_WHOLE = /[0-9][.eE]|[0-9]{17}/

/** Whether numbers are whole and nesting bounded, outside its strings: parsers differ in what they make of others, and JSON.parse does not tell. */
function checkPlain(text: string): void {
  let depth = 0
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at)
    const end = quote < 0 ? text.length : quote
    const between = text.slice(at, end)
    if (NOT_WHOLE.test(between)) throw malformed('a number is not whole, or has more than 16 digits')
    for (const character of between) {
      if (character === '[' || character === '{') depth += 1
      else if (character === ']' || character === '}') depth -= 1
      if (depth > MAX_DEPTH) throw malformed(`it is nested deeper than ${MAX_DEPTH}`)
    }
    at = quote < 0 ? text.length : behindString(text, quote)
  }
}

function behindString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return end + 1
  }
  return text.length
}

/** Throws TAPE_MALFORMED; checks shapes, and nothing that is signed. */
export function decodeExcerpt(encoded: Uint8Array): Excerpt | { readonly newer: number } {
  let value: unknown
  try {
    const text = utf8.decode(encoded)
    checkPlain(text)
    value = JSON.parse(text)
  } catch (error) {
    throw error instanceof ApplianceError ? error : malformed('it is not JSON')
  }
  const map = object(value)
  if (map['format'] !== EXCERPT_FORMAT) throw malformed('it is no excerpt')
  const version = count(map['v'])
  if (version > EXCERPT_VERSION && version <= MAX_VERSION) return { newer: version }
  if (version !== EXCERPT_VERSION) throw malformed(`version ${version} is not ${EXCERPT_VERSION}`)
  const header = object(map['header'])
  return {
    session: textOf(map['session']),
    header: { statement: bytes(header['statement']), certificate: certificateOf(header['certificate']) },
    chain: list(map['chain']).map(linkOf),
    disclosed: list(map['disclosed']).map((run) => {
      const [first, last, ...more] = list(run)
      if (more.length > 0) throw malformed('a run of frames is its first and its last')
      return [count(first), count(last)] as const
    }),
    frames: list(map['frames']).map((one) => {
      const frame = object(one)
      const path = list(frame['path'])
      if (path.length > MAX_PATH_LENGTH) throw malformed('a path is longer than any can be')
      return {
        seq: count(frame['seq']),
        salt: bytes(frame['salt'], SALT_SIZE),
        frame: bytes(frame['frame']),
        path: path.map((hash) => bytes(hash, HASH_SIZE)),
      }
    }),
  }
}

function linkOf(value: unknown): ExcerptLink {
  const map = object(value)
  if ('segment' in map) return { kind: 'segment', statement: bytes(map['segment']) }
  if ('chunk' in map) return { kind: 'chunk', header: bytes(map['chunk']), signature: bytes(map['signature']) }
  if ('seal' in map) return { kind: 'seal', statement: bytes(map['seal']), signature: bytes(map['signature']) }
  if ('recovery' in map)
    return { kind: 'recovery', statement: bytes(map['recovery']), certificate: certificateOf(map['certificate']) }
  throw malformed('a link of the chain is of no kind')
}

function certificateOf(value: unknown): Certificate | undefined {
  if (value === null) return undefined
  const [gateway, algorithm, keyId, signature, ...more] = list(value)
  if (more.length > 0) throw malformed('a certificate has four members')
  return { gateway: textOf(gateway), algorithm: textOf(algorithm), keyId: textOf(keyId), signature: bytes(signature) }
}

function object(value: unknown): { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('an object was expected')
  return value as { readonly [key: string]: unknown } // by the line above
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed('a list was expected')
  return value
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw malformed('a text was expected')
  return value
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed('a count was expected')
  return value
}

function bytes(value: unknown, size?: number): Uint8Array {
  const found = base64Bytes(textOf(value))
  if (found === undefined) throw malformed('base64 was expected')
  if (size !== undefined && found.length !== size) throw malformed(`${size} bytes were expected`)
  return found
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', `the excerpt cannot be read: ${what}`)
}
