import { type Static, Type } from 'typebox'
import { Check } from 'typebox/value'
import { utf8 } from './bytes.ts'
import { ApplianceError } from './errors.ts'

// What is in an audit bundle, version 1; told in prose in docs/bundles.md, which is what other implementations follow.

export const BUNDLE_FORMAT = 'sallyport bundle'
export const BUNDLE_ENDING = '.zip'
/** First line of the note that signs a bundle's manifest. */
export const BUNDLE_NOTE = 'sallyport.bundle/v1'

export const FRAMEWORKS = ['soc2', 'iso27001', 'pci'] as const
export type Framework = (typeof FRAMEWORKS)[number]

export const BUNDLE_PATHS = {
  manifest: 'manifest.json',
  note: 'signatures/manifest.note',
  /** Behind the name of the authority, below signatures/. */
  timestamp: '.tsr',
  checkpoint: 'log/checkpoint',
  lines: 'log/lines.jsonl',
  sessions: 'populations/sessions.csv',
  decisions: 'populations/decisions.csv',
  sample: 'sample/selection.json',
  keys: 'keys/gateway.pub',
  signatures: 'signatures/',
} as const

/** Any of them makes a folder an audit bundle: one that has lost the others is not something else. */
export const BUNDLE_MARKS = [BUNDLE_PATHS.manifest, BUNDLE_PATHS.lines, BUNDLE_PATHS.note] as const

/** What may stand below signatures/, which no manifest lists: the note, and timestamps. Anything else there would be read by people and vouched for by nobody. */
export const SIGNATURE_FILE = /^signatures\/(?:manifest\.note|[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.tsr)$/

/** What became of a session's tape, as of the watermark. The last three are gaps, and listed as such. */
export const TAPE_STATES = ['whole', 'recovered', 'absent', 'deleted', 'live', 'missing', 'damaged'] as const
export type TapeState = (typeof TAPE_STATES)[number]

/** Larger than the manifest of 100,000 files. */
export const MAX_MANIFEST_SIZE = 64 << 20
/** A table is read whole where its rows are compared with the log: a million rows. */
export const MAX_TABLE_SIZE = 512 << 20

const closed = { additionalProperties: false } as const
const Text = Type.String({ maxLength: 4096 })
const Count = Type.Integer({ minimum: 0 })
const Hex = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' })

/** One number that a reader can count again: rows of a table that fit, or the sum of one of their columns. */
export const Figure = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9-]{1,64}$' }),
    title: Text,
    file: Text,
    /** Rows whose column has this text; all rows where it is empty. */
    where: Type.Record(Text, Text),
    sum: Type.Optional(Text),
    value: Count,
  },
  closed,
)
export type Figure = Static<typeof Figure>

export const BundleManifest = Type.Object({
  format: Type.Literal(BUNDLE_FORMAT),
  v: Type.Literal(1),
  /** Sessions opened from `from` on, and before `to`. */
  period: Type.Object({ from: Time, to: Time }, closed),
  framework: Type.Unsafe<Framework>(Type.Union(FRAMEWORKS.map((one) => Type.Literal(one)))),
  /** Which sessions: of one of these targets and one of these identities, where any are named. */
  scope: Type.Object({ target: Type.Array(Text), identity: Type.Array(Text) }, closed),
  /** The checkpoint everything was cut at, and the log it is of. */
  watermark: Type.Object({ origin: Text, size: Count, root: Hex }, closed),
  /** The log's lines in log/lines.jsonl: from this leaf to the watermark; `left`: the roots of the complete subtrees before it, the largest first. */
  lines: Type.Object({ from: Count, left: Type.Array(Hex, { maxItems: 64 }) }, closed),
  tool: Text,
  /** Which tapes were verified byte by byte when the bundle was made: all, or those of the sample. */
  verified: Type.Union([Type.Literal('all'), Type.Literal('sample')]),
  sample: Type.Object({ seed: Text, size: Count }, closed),
  /** A small pack: sessions of the sample whose recordings are not in it, as there was no room. */
  small: Type.Optional(Type.Object({ maxSize: Count, leftOut: Type.Array(Text) }, closed)),
  /** Tables made of the log's entries: all entries of these types, up to where. */
  tables: Type.Array(
    Type.Object(
      {
        file: Text,
        types: Type.Array(Text),
        until: Type.Union([Type.Literal('period'), Type.Literal('watermark')]),
      },
      closed,
    ),
  ),
  figures: Type.Array(Figure),
  /** Everything but this file and what is below signatures/, by path. */
  files: Type.Array(Type.Object({ path: Text, size: Count, sha256: Hex }, closed)),
})
export type BundleManifest = Static<typeof BundleManifest>

/** Throws TAPE_MALFORMED. */
export function parseManifest(bytes: Uint8Array): BundleManifest {
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(bytes))
  } catch (cause) {
    throw new ApplianceError('TAPE_MALFORMED', 'the manifest is not JSON', { cause })
  }
  if (!Check(BundleManifest, value) || ![...value.files.map(({ path }) => path), ...tablesOf(value)].every(isBundlePath))
    throw new ApplianceError('TAPE_MALFORMED', 'the manifest has not the form of version 1')
  return value
}

function tablesOf({ tables, figures }: BundleManifest): readonly string[] {
  return [...tables, ...figures].map(({ file }) => file)
}

/** Whether a name in a bundle is one that may be written to a disk: relative, no `..`, no device, nothing but plain characters. */
export function isBundlePath(path: string): boolean {
  return path.length <= 400 && path.split('/').every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part))
}

/** Text of the note that signs a manifest: what is signed, and when and by whom it was made. */
export function bundleNoteText(sha256Base64: string, made: { readonly at: string; readonly by: string }): string {
  return `${BUNDLE_NOTE}\n${sha256Base64}\nmade ${made.at}\nby ${made.by.replaceAll(/[^\x20-\x7e]/g, '?')}\n`
}

/** The order of a population under a seed: whoever has both draws the same sample. `hmac` is HMAC-SHA-256(seed, session). */
export function drawSample(ids: readonly string[], size: number, hmac: (id: string) => string): readonly string[] {
  return ids
    .map((id) => [hmac(id), id] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1))
    .slice(0, size)
    .map(([, id]) => id)
}
