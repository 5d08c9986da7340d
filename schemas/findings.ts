import { type Static, Type } from 'typebox'
import { closed, oneOf } from './config-parts.ts'
import { ApprovalRule } from './policy.ts'

/** What a detector looks for, and the numbers it goes by where the configuration gives no others. Told in docs/findings.md. */
export interface DetectorKind {
  /** As in the table of docs/findings.md. */
  readonly code: string
  /** Counts up when the same evidence would give another finding. */
  readonly version: number
  readonly title: string
  /** MITRE ATT&CK techniques. */
  readonly attack: readonly string[]
  /** Of a finding that only just is one, 0 to 1. */
  readonly weight: number
  readonly params: Readonly<Record<string, number>>
}

export const DETECTORS = {
  'large-pull': {
    code: 'V1',
    version: 1,
    title: 'One statement took a lot',
    attack: ['T1213', 'T1005'],
    weight: 0.5,
    params: { rows: 10_000, bytes: 50_000_000, percentOfTable: 10, floorRows: 1_000 },
  },
  'baseline-break': {
    code: 'V2',
    version: 2,
    title: 'Far more in a day than this actor usually takes',
    attack: ['T1213', 'T1020'],
    weight: 0.4,
    params: { z: 4, floorBytes: 1_000_000, activeDays: 10, historyDays: 28 },
  },
  'peer-break': {
    code: 'V3',
    version: 2,
    title: 'Far more in a day than others take from this target',
    attack: ['T1213'],
    weight: 0.3,
    params: { times: 3, peers: 5, floorRows: 1_000, historyDays: 28 },
  },
  'stitched-rows': {
    code: 'S1',
    version: 1,
    title: 'Many small pulls that are a large one together',
    attack: ['T1119', 'T1020', 'T1030'],
    weight: 0.5,
    params: { rowsHour: 5_000, rowsDay: 10_000, rowsWeek: 20_000, sessions: 3 },
  },
  'stitched-keys': {
    code: 'S2',
    version: 2,
    title: 'Much of a table, in several sessions',
    attack: ['T1119', 'T1213'],
    weight: 0.7,
    params: { percentOfTable: 20, keys: 50_000, sessions: 3, floorKeys: 500, windowDays: 7 },
  },
  'pagination-walk': {
    code: 'S3',
    version: 1,
    title: 'A table read page by page',
    attack: ['T1119'],
    weight: 0.4,
    params: { pages: 10, rows: 500 },
  },
  'low-and-slow': {
    code: 'S4',
    version: 2,
    title: 'A little more than usual, day after day',
    attack: ['T1030', 'T1020'],
    weight: 0.3,
    params: { cusum: 8, slack: 0.5, activeDays: 10, historyDays: 28 },
  },
  'first-access': {
    code: 'F1',
    version: 1,
    title: 'Something this actor never touched before',
    attack: ['T1213'],
    weight: 0.2,
    params: { learningDays: 7, rows: 1 },
  },
  'schema-enumeration': {
    code: 'E1',
    version: 1,
    title: 'Looked around in the database',
    attack: ['T1087', 'T1082'],
    weight: 0.3,
    params: { catalogQueries: 3, objects: 20, minutes: 10 },
  },
  'api-enumeration': {
    code: 'E2',
    version: 1,
    title: 'One thing after another was asked of an API',
    attack: ['T1119', 'T1613'],
    weight: 0.4,
    params: { ids: 50, minutes: 10 },
  },
  'bulk-verbs': {
    code: 'X1',
    version: 1,
    title: 'Commands that export',
    attack: ['T1005', 'T1560'],
    weight: 0.4,
    params: { rows: 1_000, bytes: 1_000_000 },
  },
  'secret-reads': {
    code: 'X2',
    version: 1,
    title: 'Secrets were read',
    attack: ['T1552.001', 'T1552.004', 'T1552.007'],
    weight: 0.6,
    params: { reads: 1 },
  },
  'egress-after-pull': {
    code: 'X3',
    version: 1,
    title: 'Something was sent away after a pull',
    attack: ['T1048', 'T1567', 'T1537'],
    weight: 0.7,
    params: { minutes: 30, rows: 500 },
  },
  packing: {
    code: 'X4',
    version: 1,
    title: 'Data was encoded or packed before it left',
    attack: ['T1132', 'T1560'],
    weight: 0.4,
    params: { bytes: 100_000 },
  },
  'mask-probing': {
    code: 'M1',
    version: 1,
    title: 'Masked values were asked about one by one',
    attack: ['T1213'],
    weight: 0.5,
    params: { questions: 20, minutes: 10, rows: 1 },
  },
  'deny-variant': {
    code: 'M2',
    version: 1,
    title: 'Refused, changed, and let through',
    attack: ['T1562'],
    weight: 0.5,
    params: { minutes: 10, rows: 1 },
  },
  'masked-sweep': {
    code: 'M3',
    version: 2,
    title: 'Masked data in bulk',
    attack: ['T1213'],
    weight: 0.4,
    params: { masked: 5_000 },
  },
  'approval-anomaly': {
    code: 'A1',
    version: 1,
    title: 'Approvals that were hardly thought over',
    attack: ['T1078'],
    weight: 0.4,
    params: { seconds: 3, hasty: 3, decisions: 50, percent: 95, historyDays: 28 },
  },
  'off-hours': {
    code: 'A2',
    version: 1,
    title: 'Data left while nobody is at work',
    attack: ['T1078'],
    weight: 0.1,
    params: { rows: 100 },
  },
  'recording-integrity': {
    code: 'I1',
    version: 1,
    title: 'A recording that has no signed end',
    attack: ['T1562.008', 'T1070'],
    weight: 0.6,
    params: {},
  },
} as const satisfies Readonly<Record<string, DetectorKind>>
export type DetectorName = keyof typeof DETECTORS
export const DETECTOR_NAMES = Object.keys(DETECTORS) as DetectorName[]

const Numbers = (params: Readonly<Record<string, number>>) =>
  Type.Object(
    Object.fromEntries(
      Object.entries(params).map(([name, value]) => [name, Type.Optional(Type.Number({ exclusiveMinimum: 0, default: value }))]),
    ),
    closed,
  )

/** Detectors whose numbers can be counted while a session runs. */
const INLINE_NAMES = ['large-pull', 'stitched-rows', 'bulk-verbs', 'masked-sweep'] as const satisfies readonly DetectorName[]
export type InlineName = (typeof INLINE_NAMES)[number]
const IDENTITY_KINDS = ['human', 'agent', 'service'] as const

const Inline = Type.Object(
  {
    action: Type.Unsafe<'hold' | 'block'>({
      ...oneOf(['hold', 'block']),
      description: 'At the row in which the detector’s number is reached: wait for a person, or cut',
    }),
    kinds: Type.Optional(Type.Array(oneOf(IDENTITY_KINDS), { minItems: 1, uniqueItems: true, description: 'Only theirs' })),
    approval: Type.Optional(ApprovalRule),
  },
  closed,
)

/** What findings go by. */
export const FindingsConfig = Type.Object(
  {
    tables: Type.Optional(
      Type.Array(
        Type.Object(
          {
            target: Type.String({ minLength: 1 }),
            table: Type.String({ minLength: 1, description: 'As the catalog spells it: without `public.`' }),
            rows: Type.Optional(Type.Integer({ minimum: 1, description: 'How many it has, for shares of it' })),
            sensitive: Type.Optional(Type.Boolean({ description: 'Findings about it weigh more' })),
          },
          closed,
        ),
        { maxItems: 10_000 },
      ),
    ),
    workHours: Type.Optional(
      Type.Object(
        {
          zone: Type.String({ pattern: '^[A-Za-z0-9_+/-]{1,64}$', description: 'Of the IANA database, such as Europe/Berlin' }),
          from: Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' }),
          to: Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' }),
          days: Type.Optional(
            Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { minItems: 1, uniqueItems: true, description: '1 is Monday' }),
          ),
        },
        { ...closed, description: 'Without them nothing is off hours' },
      ),
    ),
    inline: Type.Optional(
      Type.Object(Object.fromEntries(INLINE_NAMES.map((name) => [name, Type.Optional(Inline)])), {
        ...closed,
        description: 'Detectors that act while a session runs, each as a rule `finding.<name>` of the policy',
      }),
    ),
    detectors: Type.Optional(
      Type.Object(
        Object.fromEntries(
          Object.entries(DETECTORS).map(([name, { params, title }]) => [
            name,
            Type.Optional(Type.Union([Type.Literal(false), Numbers(params)], { description: `${title}; false switches it off` })),
          ]),
        ),
        closed,
      ),
    ),
  },
  { ...closed, description: 'What is a finding, in numbers of your own' },
)
export interface FindingsConfig {
  readonly tables?: readonly {
    readonly target: string
    readonly table: string
    readonly rows?: number
    readonly sensitive?: boolean
  }[]
  readonly workHours?: { readonly zone: string; readonly from: string; readonly to: string; readonly days?: readonly number[] }
  readonly inline?: Readonly<Partial<Record<InlineName, Static<typeof Inline>>>>
  readonly detectors?: Readonly<Partial<Record<DetectorName, false | Readonly<Record<string, number>>>>>
}

const Count = Type.Integer({ minimum: 0 })
const DateTime = Type.String({ format: 'date-time' })
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** A piece of evidence: these frames of this session. */
export const Contribution = Type.Object({
  session: Type.String(),
  target: Type.String(),
  frame: Count,
  lastFrame: Count,
  at: DateTime,
  rows: Count,
  bytesOut: Count,
  /** What it is: a statement's text, or words for sums of several. Untrusted and masked. */
  text: Type.String(),
})
export type Contribution = Static<typeof Contribution>

export const SEVERITIES = ['low', 'medium', 'high'] as const
/** `true`: it was what it looks like. `benign`: it was, and may be. `false`: the detector is wrong. `open` takes it back. */
export const DISPOSITIONS = ['open', 'true', 'benign', 'false'] as const
export type DispositionState = (typeof DISPOSITIONS)[number]

export const FindingRow = Type.Object({
  id: Type.String(),
  detector: oneOf(DETECTOR_NAMES),
  code: Type.String(),
  version: Count,
  title: Type.String(),
  severity: oneOf(SEVERITIES),
  /** 0 to 1: what is left of certainty when every addend is taken as a chance of its own, 1 - (1-a)(1-b)... */
  score: Type.Number(),
  /** The person behind, with all that act for them. */
  family: Type.String(),
  /** Where it shows: of those in `targets` that the reader may see the first. */
  target: Type.String(),
  /** Everything it rests on, as far as the reader may see it. */
  targets: Type.Array(Type.String()),
  object: orNull(Type.String()),
  from: DateTime,
  to: DateTime,
  /** One sentence with the numbers. */
  summary: Type.String(),
  sessions: Count,
  state: oneOf(DISPOSITIONS),
})
export type FindingRow = Static<typeof FindingRow>

export const Finding = Type.Object({
  ...FindingRow.properties,
  attack: Type.Array(Type.String()),
  value: Type.Number(),
  threshold: Type.Number(),
  unit: Type.String(),
  params: Type.Record(Type.String(), Type.Number()),
  addends: Type.Array(Type.Object({ why: Type.String(), weight: Type.Number() })),
  /** What was usual, where that is what it is measured by. */
  baseline: orNull(Type.Record(Type.String(), Type.Number())),
  /** Of a table: how many different keys left, how that was found, and of how many. */
  coverage: orNull(
    Type.Object({
      keys: Count,
      /** The standard error of `keys`; 0 where they were counted one by one. */
      errorPercent: Type.Number(),
      keyed: Type.String(),
      of: orNull(Count),
      /** `configuration`, or `seen`: all the keys the catalog has ever seen of it. */
      source: Type.String(),
    }),
  ),
  /** Oldest first, at most 200; `left` are more. */
  contributions: Type.Array(Contribution),
  left: Count,
  /** Contributions at targets the reader may not see: counted, never shown. */
  hidden: Count,
  /** SHA-256 over detector, version, parameters and evidence: the same evidence gives the same. */
  hash: Type.String(),
  dispositions: Type.Array(Type.Object({ state: oneOf(DISPOSITIONS), by: Type.String(), reason: Type.String(), at: DateTime })),
})
export type Finding = Static<typeof Finding>

export const FindingQuery = Type.Object(
  {
    state: Type.Optional(oneOf(DISPOSITIONS)),
    severity: Type.Optional(oneOf(SEVERITIES)),
    detector: Type.Optional(oneOf(DETECTOR_NAMES)),
    session: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: '^[A-Za-z0-9_-]+$' })),
  },
  closed,
)
export type FindingQuery = Static<typeof FindingQuery>

export const DispositionAsk = Type.Object(
  { state: oneOf(DISPOSITIONS), reason: Type.String({ minLength: 1, maxLength: 2_000 }) },
  closed,
)
