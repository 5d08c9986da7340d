import { type Static, Type } from 'typebox'
import { Detector, Label, LabelId, Pattern } from './policy-masking.ts'
import { PROTOCOL_NAMES } from './session.ts'

/** What a function may do beside computing its result. `unknown`: not one of PostgreSQL's own, so nobody can tell. */
export const FUNCTION_CATEGORIES = [
  'admin',
  'exec',
  'file',
  'large-object',
  'lock',
  'network',
  'notify',
  'replication',
  'settings',
  'sleep',
  'sql-in-text',
  'statistics',
  'unknown',
] as const
export type FunctionCategory = (typeof FUNCTION_CATEGORIES)[number]

/** Who reaches through the target: the client (`local`), others to the client (`remote`), the target to the client's agent or screen. */
const FORWARD_DIRECTIONS = ['local', 'remote', 'agent', 'x11'] as const

/** What is done to a file by a protocol that names them. */
export const FILE_OPERATIONS = [
  'read',
  'write',
  'list',
  'stat',
  'setstat',
  'remove',
  'rename',
  'mkdir',
  'rmdir',
  'link',
  'readlink',
  'realpath',
  'copy',
] as const
export type FileOperation = (typeof FILE_OPERATIONS)[number]

const strict = { additionalProperties: false } as const

const Name = Type.String({ minLength: 1, maxLength: 200 })
const Names = Type.Union([Name, Type.Array(Name, { minItems: 1, maxItems: 500 })], { description: 'a name, or a list of names' })
const Globs = Type.Union([Name, Type.Array(Name, { minItems: 1, maxItems: 500 })], {
  description: 'a pattern, or a list of them; `*` stands for any text, a leading `!` excludes',
})
const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
const Reason = Type.String({ minLength: 1, maxLength: 500 })
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Of a test's made-up reply: it is made in memory. */
const Trial = Type.Integer({ minimum: 0, maximum: 268_435_456 })
const Range = Type.Object({ min: Type.Optional(Count), max: Type.Optional(Count) }, { ...strict, minProperties: 1 })
const Duration = Type.String({ pattern: '^[1-9][0-9]{0,5}(ms|s|m|h)$', description: 'a duration like 500ms, 45s, 10m or 1h' })
const Mode = Type.Enum(['enforce', 'shadow'])
const Kind = Type.Enum(['human', 'agent', 'service'])
const RuleId = Type.String({ pattern: LabelId, description: 'an id of lower-case letters, digits, `.`, `_` and `-`' })

const Who = Type.Object(
  {
    kinds: Type.Optional(Type.Union([Kind, Type.Array(Kind, { minItems: 1 })])),
    groups: Type.Optional(Names),
    subjects: Type.Optional(Globs),
  },
  { ...strict, minProperties: 1 },
)

const Where = Type.Object(
  {
    names: Type.Optional(Globs),
    labels: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z0-9._/-]{1,100}$' }), Names)),
  },
  { ...strict, minProperties: 1 },
)

/** Every field given must hold; of a list, one entry must. docs/policy.md says what each fact means. */
export const Match = Type.Object(
  {
    kind: Type.Optional(Names),
    verb: Type.Optional(Names),
    relations: Type.Optional(Globs),
    columns: Type.Optional(Globs),
    labels: Type.Optional(Globs),
    functions: Type.Optional(Globs),
    function_categories: Type.Optional(
      Type.Union([Type.Enum(FUNCTION_CATEGORIES), Type.Array(Type.Enum(FUNCTION_CATEGORIES), { minItems: 1 })]),
    ),
    sets: Type.Optional(Globs),
    copy: Type.Optional(
      Type.Object(
        {
          direction: Type.Optional(Type.Enum(['in', 'out'])),
          target: Type.Optional(
            Type.Union([
              Type.Enum(['program', 'file', 'stdin', 'stdout']),
              Type.Array(Type.Enum(['program', 'file', 'stdin', 'stdout']), { minItems: 1 }),
            ]),
          ),
        },
        strict,
      ),
    ),
    text: Type.Optional(Globs),
    method: Type.Optional(Names),
    path: Type.Optional(Globs),
    route: Type.Optional(Globs),
    content_type: Type.Optional(Globs),
    resource: Type.Optional(Globs),
    api_group: Type.Optional(
      Type.Union([Type.String({ maxLength: 200 }), Type.Array(Type.String({ maxLength: 200 }), { minItems: 1 })]),
    ),
    namespace: Type.Optional(Globs),
    name: Type.Optional(Globs),
    rpc_method: Type.Optional(Globs),
    tool: Type.Optional(Globs),
    graphql: Type.Optional(Globs),
    command: Type.Optional(Globs),
    program: Type.Optional(Globs),
    file: Type.Optional(Globs),
    redirect: Type.Optional(
      Type.Object(
        { direction: Type.Optional(Type.Enum(['in', 'out'])), path: Type.Optional(Globs) },
        { ...strict, minProperties: 1 },
      ),
    ),
    host: Type.Optional(Globs),
    pipe: Type.Optional(Globs),
    opaque: Type.Optional(Globs),
    network: Type.Optional(Type.Boolean()),
    analysable: Type.Optional(Type.Boolean()),
    dynamic_arguments: Type.Optional(Type.Boolean()),
    background: Type.Optional(Type.Boolean()),
    elevates: Type.Optional(Type.Boolean()),
    listed: Type.Optional(Type.Boolean()),
    pty: Type.Optional(Type.Boolean()),
    unshown: Type.Optional(Type.Boolean()),
    subsystem: Type.Optional(Globs),
    forward: Type.Optional(
      Type.Object(
        {
          direction: Type.Optional(
            Type.Union([Type.Enum(FORWARD_DIRECTIONS), Type.Array(Type.Enum(FORWARD_DIRECTIONS), { minItems: 1 })]),
          ),
          host: Type.Optional(Globs),
          port: Type.Optional(Type.Union([Port, Type.Array(Port, { minItems: 1, maxItems: 500 })])),
        },
        { ...strict, minProperties: 1 },
      ),
    ),
    operation: Type.Optional(Type.Union([Type.Enum(FILE_OPERATIONS), Type.Array(Type.Enum(FILE_OPERATIONS), { minItems: 1 })])),
    has_where: Type.Optional(Type.Boolean()),
    where_trivial: Type.Optional(Type.Boolean()),
    select_star: Type.Optional(Type.Boolean()),
    limited: Type.Optional(Type.Boolean()),
    ddl: Type.Optional(Type.Boolean()),
    writes: Type.Optional(Type.Boolean()),
    dynamic: Type.Optional(Type.Boolean()),
    multi: Type.Optional(Type.Boolean()),
    catalog_access: Type.Optional(Type.Boolean()),
    role_change: Type.Optional(Type.Boolean()),
    parser_change: Type.Optional(Type.Boolean()),
    explain_analyze: Type.Optional(Type.Boolean()),
    parse_ok: Type.Optional(Type.Boolean()),
    masked_write: Type.Optional(Type.Boolean()),
    writes_from_masked: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Range),
    size: Type.Optional(Range),
    statement_count: Type.Optional(Range),
  },
  { ...strict, minProperties: 1 },
)
export type Match = Static<typeof Match>

const Size = Type.Union([
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ pattern: '^[1-9][0-9]{0,8}(KiB|MiB|GiB)$', description: 'a size like 512KiB, 16MiB or 1GiB' }),
])

const Threshold = Type.Object(
  {
    rows: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    bytes: Type.Optional(Size),
    code: Type.Optional(Size),
    distinct: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    per: Type.Enum(['statement', 'session', 'identity', 'principal']),
    window: Type.Optional(Duration),
  },
  strict,
)

const Days = Type.String({
  pattern: '^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$',
  description: 'a day like mon, or days like mon-fri',
})
const Span = Type.String({
  pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$',
  description: 'hours like 08:00-18:30, or over midnight like 22:00-06:00',
})

/** Part of the week, in the time of a place. What goes over midnight belongs to the day it begins. */
const Hours = Type.Object(
  {
    days: Type.Optional(Type.Union([Days, Type.Array(Days, { minItems: 1, maxItems: 14 })])),
    hours: Type.Optional(Type.Union([Span, Type.Array(Span, { minItems: 1, maxItems: 24 })])),
    zone: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'a time zone like Europe/Berlin; UTC otherwise' }),
    ),
  },
  { ...strict, minProperties: 1 },
)
export type Hours = Static<typeof Hours>

export const ApprovalRule = Type.Object(
  {
    groups: Type.Optional(Names),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
    timeout: Type.Optional(Duration),
  },
  { ...strict, minProperties: 1 },
)

export const Rule = Type.Object(
  {
    id: RuleId,
    on: Type.Optional(Type.Union([Type.Enum(PROTOCOL_NAMES), Type.Array(Type.Enum(PROTOCOL_NAMES), { minItems: 1 })])),
    mode: Type.Optional(Mode),
    who: Type.Optional(Who),
    except: Type.Optional(Who),
    targets: Type.Optional(Where),
    during: Type.Optional(Hours),
    outside: Type.Optional(Hours),
    match: Type.Optional(Match),
    when: Type.Optional(
      Type.String({ minLength: 1, maxLength: 4_000, description: 'a condition in CEL over facts, identity and target' }),
    ),
    threshold: Type.Optional(Threshold),
    action: Type.Enum(['block', 'hold', 'allow']),
    reason: Type.Optional(Reason),
    hint: Type.Optional(Reason),
    approval: Type.Optional(ApprovalRule),
  },
  strict,
)
export type Rule = Static<typeof Rule>

export const PACK_NAMES = [
  'exfiltration',
  'destructive',
  'bulk-read',
  'enumeration',
  'privilege',
  'side-channel',
  'net-egress',
  'cloud-upload',
  'metadata',
  'secret-files',
  'env-dump',
  'k8s-secret',
  'db-dump',
  'bulk-archive',
  'vcs',
  'persistence',
  'shell-destructive',
  'obfuscation',
  'allowlist',
] as const
export type PackName = (typeof PACK_NAMES)[number]

const Tuning = Type.Object(
  {
    mode: Type.Optional(Mode),
    who: Type.Optional(Who),
    except: Type.Optional(Who),
    targets: Type.Optional(Where),
    during: Type.Optional(Hours),
    outside: Type.Optional(Hours),
    when: Type.Optional(Type.String({ minLength: 1, maxLength: 4_000, description: 'a condition in CEL' })),
    threshold: Type.Optional(Threshold),
    action: Type.Optional(Type.Enum(['block', 'hold', 'allow'])),
    reason: Type.Optional(Reason),
    hint: Type.Optional(Reason),
    approval: Type.Optional(ApprovalRule),
  },
  { ...strict, minProperties: 1 },
)

/** A pack, tuned: what stands beside its name is for all its rules, `rules` for one each, by what follows the pack's name in its id. */
const PackUse = Type.Object(
  {
    pack: Type.Enum(PACK_NAMES),
    version: Type.Optional(Type.Integer({ minimum: 1 })),
    mode: Type.Optional(Mode),
    who: Type.Optional(Who),
    except: Type.Optional(Who),
    targets: Type.Optional(Where),
    approval: Type.Optional(ApprovalRule),
    rules: Type.Optional(Type.Record(Type.String({ pattern: LabelId }), Type.Union([Type.Literal('off'), Tuning]), strict)),
  },
  strict,
)
export type PackUse = Static<typeof PackUse>

const Tried = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]))

/**
 * Of what is asked and what is said of it (`sql` of PostgreSQL, `ssh` a command, `http`, `egress` and `kubernetes` a request), or of what a target would send and what is masked in it (`text`).
 */
export const PolicyTest = Type.Object(
  {
    name: Type.Optional(Name),
    as: Type.Optional(Type.Object({ subject: Type.Optional(Name), kind: Kind, groups: Type.Optional(Type.Array(Name)) }, strict)),
    on: Type.Optional(
      Type.Object({ name: Type.Optional(Name), labels: Type.Optional(Type.Record(Type.String(), Type.String())) }, strict),
    ),
    at: Type.Optional(
      Type.String({
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$',
        description: 'when, like 2026-01-07T22:30+01:00; a Wednesday at noon UTC otherwise',
      }),
    ),
    sql: Tried,
    ssh: Tried,
    http: Tried,
    egress: Tried,
    kubernetes: Tried,
    text: Tried,
    column: Type.Optional(Name),
    reply: Type.Optional(
      Type.Object({ rows: Type.Optional(Trial), bytes: Type.Optional(Trial) }, { ...strict, minProperties: 1 }),
    ),
    expect: Type.Object(
      {
        action: Type.Optional(Type.Enum(['allow', 'block', 'hold'])),
        rules: Type.Optional(Type.Array(Name)),
        keep: Type.Optional(Count),
        masks: Type.Optional(Type.Array(Name)),
      },
      { ...strict, minProperties: 1 },
    ),
  },
  strict,
)
export type PolicyTest = Static<typeof PolicyTest>

/** The policy file. Precedence of what matches: block, hold, mask, allow; every matching rule is recorded. */
export const PolicyFile = Type.Object(
  {
    version: Type.Literal(1),
    mode: Type.Optional(Mode),
    defaults: Type.Optional(
      Type.Object(
        {
          action: Type.Optional(Type.Enum(['allow', 'block', 'hold'])),
          unparsable: Type.Optional(Type.Enum(['block', 'hold'])),
          masked_write: Type.Optional(Type.Enum(['block', 'hold', 'allow'])),
          search_path: Type.Optional(Type.Array(Name)),
          approval: Type.Optional(ApprovalRule),
        },
        strict,
      ),
    ),
    /** Of a change of this policy: who has to approve it before it comes into force. */
    activation: Type.Optional(Type.Object({ approval: ApprovalRule }, strict)),
    labels: Type.Optional(Type.Record(Type.String({ pattern: LabelId }), Label, strict)),
    detectors: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_-]{0,60}$' }), Detector, strict)),
    patterns: Type.Optional(Type.Array(Pattern, { maxItems: 100 })),
    exempt: Type.Optional(
      Type.Array(Type.Object({ who: Who, labels: Type.Optional(Globs), detectors: Type.Optional(Globs) }, strict)),
    ),
    packs: Type.Optional(Type.Array(Type.Union([Type.Enum(PACK_NAMES), PackUse]), { maxItems: 100 })),
    rules: Type.Optional(Type.Array(Rule, { maxItems: 1_000 })),
    tests: Type.Optional(Type.Array(PolicyTest, { maxItems: 5_000 })),
  },
  { ...strict, title: 'Sallyport policy' },
)
export type PolicyFile = Static<typeof PolicyFile>
