import { base64Bytes } from '../bytes.ts'

// The bytes of a ledger, version 1; told in prose in docs/ledger-format.md, which is what other implementations follow.

/** A leaf is at most what a C2SP entry bundle can hold: its length is a u16. */
export const MAX_LINE_SIZE = 65_535
/** A sequence object is ended at either, well below the 50,000 appends of an append blob: no append has less than a line. */
export const MAX_SEQUENCE_LINES = 40_000
export const MAX_SEQUENCE_SIZE = 64 << 20
/** Behind which no verifier reads an object of the sequence: somebody can make it endless, and no writer does. */
export const MAX_SEQUENCE_READ = 80 << 20
/** Hashes of a full tile (C2SP tlog-tiles). */
export const TILE_WIDTH = 256
/** The line that ends a sequence object; it is not a leaf, and nothing behind it counts. */
export const END_LINE = '"end"'

export const ledgerKeys = {
  origin: 'ledger/origin',
  sequencePrefix: 'ledger/seq/',
  sequence: (number: number): string => `ledger/seq/${String(number).padStart(4, '0')}`,
  checkpointPrefix: 'ledger/checkpoint/',
  /** Numbered by the size of its tree. */
  checkpoint: (size: number): string => `ledger/checkpoint/${tileNumber(size)}`,
  /** Cosignatures, timestamps and other words of third parties on checkpoints stand beside them. */
  witness: (size: number, name: string): string => `ledger/witness/${tileNumber(size)}.w/${name}`,
  tile: (level: number, index: number, width = TILE_WIDTH): string =>
    `ledger/tile/${level}/${tileNumber(index)}${partial(width)}`,
  entries: (index: number, width = TILE_WIDTH): string => `ledger/tile/entries/${tileNumber(index)}${partial(width)}`,
}

function partial(width: number): string {
  return width === TILE_WIDTH ? '' : `.p/${width}`
}

/** `1234067` as `x001/x234/067` (C2SP tlog-tiles). */
export function tileNumber(index: number): string {
  let path = String(index % 1000).padStart(3, '0')
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`
  return path
}

/** The number of such a path; undefined where it is none. */
export function tileNumberOf(path: string): number | undefined {
  if (!/^(?:x\d{3}\/)*\d{3}$/.test(path)) return undefined
  const number = Number(path.replaceAll(/[x/]/g, ''))
  return Number.isSafeInteger(number) && tileNumber(number) === path ? number : undefined
}

/** One line of the sequence: a leaf of the tree, whether or not it is an entry. */
export interface LedgerLine {
  readonly bytes: Uint8Array
  /** The sequence object it stands in, and where. */
  readonly object: number
  readonly offset: number
}

/** What a writer said, as the line has it. */
export interface LedgerStatement {
  readonly v: 1
  readonly type: string
  readonly gateway: string
  readonly n: number
  readonly at: string
  readonly sessions: number
  readonly [member: string]: unknown
}

export interface SignedEntry {
  readonly statement: LedgerStatement
  /** What is signed: `SIGNED.entry` and these bytes. */
  readonly statementBytes: Uint8Array
  /** First 16 hex digits of the SHA-256 of the key (SPKI). */
  readonly keyId: string
  readonly signature: Uint8Array
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const KEY_ID = /^[0-9a-f]{16}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const WRITER = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

const TIME = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/
/** JSON parsers differ in how deep they go; readers must not differ in what is an entry. */
const MAX_NESTING = 16

/** `[statement,"key id","signature"]` as JSON; undefined where the line is anything else. */
export function parseLine(bytes: Uint8Array): SignedEntry | undefined {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    if (isDeep(text)) return undefined
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || value.length !== 3) return undefined
  const [statement, keyId, signature]: readonly unknown[] = value
  if (typeof keyId !== 'string' || !KEY_ID.test(keyId) || typeof signature !== 'string' || !BASE64.test(signature))
    return undefined
  // Compared as text, so that what was parsed is what was signed, however strings were escaped.
  const end = `,"${keyId}","${signature}"]`
  if (!text.startsWith('[{') || !text.endsWith(end) || !isStatement(statement)) return undefined
  const decoded = base64Bytes(signature)
  if (decoded === undefined) return undefined
  return { statement, statementBytes: bytes.subarray(1, bytes.length - end.length), keyId, signature: decoded }
}

function isStatement(value: unknown): value is LedgerStatement {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { v, type, gateway, n, at, sessions } = value as Record<string, unknown>
  return (
    v === 1 &&
    typeof type === 'string' &&
    typeof gateway === 'string' &&
    WRITER.test(gateway) &&
    isCount(n) &&
    n > 0 &&
    typeof at === 'string' &&
    isTime(at) &&
    isCount(sessions)
  )
}

/** Only what everybody reads alike: UTC, to the second or millisecond, and a day there is. */
function isTime(at: string): boolean {
  const ms = TIME.test(at) ? Date.parse(at) : Number.NaN
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(at.slice(0, 19))
}

function isDeep(text: string): boolean {
  let [depth, quoted] = [0, false]
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit === QUOTE) quoted = !quoted
    else if (quoted) index += unit === BACKSLASH ? 1 : 0
    else if (unit === 0x5b || unit === 0x7b) {
      depth += 1
      if (depth > MAX_NESTING) return true
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
