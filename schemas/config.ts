import { type Static, Type } from 'typebox'
import type { Role } from './api.ts'
import { DURABILITY_LEVELS, type Durability, PROTOCOL_NAMES } from './session.ts'

const closed = { additionalProperties: false } as const
const Name = (description: string) => Type.String({ pattern: '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$', description })
const Path = (description: string) => Type.String({ minLength: 1, description: `${description}; relative to this file` })
const Group = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$' })
const Groups = Type.Array(Group, { uniqueItems: true })
const Subject = Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\s\\x00-\\x1f\\x7f]+$' })
const Port = Type.Integer({ minimum: 1, maximum: 65_535 })
const oneOf = <T extends string>(names: readonly T[]) => Type.Unsafe<T>(Type.Union(names.map((name) => Type.Literal(name))))

/** A secret is named, never written here: the environment variable or the file that holds it. */
export const SecretSource = Type.Union([
  Type.Object({ env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }) }, closed),
  Type.Object({ file: Path('A file that holds the secret; a trailing newline is ignored') }, closed),
])
export type SecretSource = Static<typeof SecretSource>

export const Listener = Type.Object(
  {
    address: Type.String({
      pattern: '^(\\[[0-9A-Fa-f:.%]+\\]|[A-Za-z0-9_.-]+|\\*):[0-9]{1,5}$',
      description: '`host:port`, `[v6]:port` or `*:port`; port 0 takes a free one',
    }),
    tls: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(
            Type.Union([Type.Literal('required'), Type.Literal('optional')], {
              default: 'required',
              description: '`optional` lets a client send its proof in clear: only for loopback',
            }),
          ),
          cert: Type.Optional(Path('PEM certificate chain')),
          key: Type.Optional(Path('PEM private key')),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type Listener = Static<typeof Listener>

const UpstreamTls = Type.Object(
  {
    mode: Type.Union([Type.Literal('off'), Type.Literal('unverified'), Type.Literal('verify')]),
    ca: Type.Optional(Path('PEM certificates to trust instead of the system ones')),
    serverName: Type.Optional(Type.String({ minLength: 1 })),
  },
  closed,
)

const DurabilityLevel = (description: string) => Type.Unsafe<Durability>({ ...oneOf(DURABILITY_LEVELS), description })

/** Raises the level of some sessions; never lowers it. */
const Raise = Type.Object(
  {
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Of the target; all of them must be there', minProperties: 1 }),
    ),
    kinds: Type.Optional(
      Type.Array(oneOf(['human', 'agent', 'service'] as const), {
        minItems: 1,
        uniqueItems: true,
        description: 'Of who knocks; without it everybody',
      }),
    ),
    durability: DurabilityLevel('The level these sessions get at least'),
  },
  { ...closed, minProperties: 2 },
)

const Recording = Type.Object(
  {
    durability: Type.Optional(DurabilityLevel('When a message may be released; the least for every session. Default: process')),
    raise: Type.Optional(Type.Array(Raise, { description: 'Sessions that get more than the default' })),
    spool: Type.Optional(
      Type.Object(
        {
          size: Type.Optional(
            Type.Integer({
              minimum: 16,
              maximum: 65_536,
              description: 'MiB on disk of one process; beyond it sessions wait. Default: 1024',
            }),
          ),
          session: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 64,
              description: 'MiB of one session not yet in the store; beyond it, it waits. Default: 4',
            }),
          ),
        },
        { ...closed, description: 'What may wait for the store' },
      ),
    ),
  },
  closed,
)

const ClientId = Type.String({
  pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
  description: 'Of a user-assigned managed identity',
})
const IdentityKind = Type.Union([Type.Literal('managed'), Type.Literal('default')], {
  default: 'managed',
  description: '`managed`: the managed identity of this machine. `default`: whatever a developer is signed in with',
})
/** Who the gateway is in Azure, where it may be several. */
const AzureIdentity = { identity: Type.Optional(IdentityKind), clientId: Type.Optional(ClientId) }
const VaultUrl = Type.String({ pattern: '^https://[A-Za-z0-9.-]+(:[0-9]+)?$', description: 'https://<name>.vault.azure.net' })
const VaultName = Type.String({ pattern: '^[0-9A-Za-z-]{1,127}$' })

const Target = Type.Object(
  {
    name: Name('What clients ask for'),
    protocol: oneOf(PROTOCOL_NAMES),
    host: Type.String({ minLength: 1 }),
    port: Port,
    database: Type.Optional(Type.String({ minLength: 1, description: 'Where clients name none' })),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    groups: Type.Array(Group, { minItems: 1, uniqueItems: true, description: 'Who may reach it' }),
    tls: Type.Optional(UpstreamTls),
    durability: Type.Optional(DurabilityLevel('The level every session with this target gets at least')),
    credential: Type.Object(
      {
        user: Type.String({ minLength: 1 }),
        password: Type.Optional(SecretSource),
        certificate: Type.Optional(Type.Object({ cert: Path('PEM client certificate'), key: SecretSource }, closed)),
        keyVault: Type.Optional(
          Type.Object(
            { vault: VaultUrl, secret: VaultName, ...AzureIdentity },
            { ...closed, description: 'The password is a secret of Azure Key Vault' },
          ),
        ),
        managedIdentity: Type.Optional(
          Type.Object(AzureIdentity, {
            ...closed,
            description: 'The password is a token: Azure Database for PostgreSQL with Entra',
          }),
        ),
      },
      closed,
    ),
  },
  closed,
)

const IdentityKey = Type.Object(
  {
    id: Name('Shown in logs and tapes'),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the access key, hex' }),
    expires: Type.Optional(Type.String({ format: 'date-time' })),
  },
  closed,
)

export const ConfiguredIdentity = Type.Object(
  {
    subject: Subject,
    kind: Type.Union([Type.Literal('human'), Type.Literal('agent'), Type.Literal('service')]),
    groups: Type.Optional(Groups),
    principal: Type.Optional(Type.String({ ...Subject, description: 'The human behind an agent: never its approver' })),
    keys: Type.Optional(Type.Array(IdentityKey)),
  },
  closed,
)
export type ConfiguredIdentity = Static<typeof ConfiguredIdentity>

/** Asymmetric signatures only: with a shared secret every verifier could also issue. */
export const JWT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const

export const JwtIssuer = Type.Object(
  {
    issuer: Type.String({ minLength: 1 }),
    audience: Type.String({ minLength: 1, description: 'Names this gateway; tokens for anybody else are refused' }),
    jwks: Type.Union([
      Type.Object({ file: Path('A JSON Web Key Set') }, closed),
      Type.Object({ uri: Type.String({ pattern: '^https://|^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])[:/]' }) }, closed),
    ]),
    algorithms: Type.Optional(Type.Array(oneOf(JWT_ALGORITHMS), { minItems: 1, uniqueItems: true })),
    clockToleranceS: Type.Optional(Type.Integer({ minimum: 0, maximum: 300, default: 30 })),
    kind: Type.Union([Type.Literal('human'), Type.Literal('agent'), Type.Literal('service')], {
      description: 'What the identities of this issuer are',
    }),
    claims: Type.Optional(
      Type.Object(
        {
          subject: Type.Optional(Type.String({ minLength: 1, default: 'sub' })),
          groups: Type.Optional(Type.String({ minLength: 1, default: 'groups' })),
          principal: Type.Optional(
            Type.String({ minLength: 1, description: 'Claim that names the human behind; dots go inside, as in `act.sub`' }),
          ),
        },
        closed,
      ),
    ),
    groups: Type.Optional(
      Type.Array(Group, { uniqueItems: true, description: 'The groups a token of this issuer may confer; others are ignored' }),
    ),
    subjectPrefix: Type.Optional(
      Type.String({ description: 'Put before the subject, so that two issuers cannot name the same person' }),
    ),
  },
  closed,
)
export type JwtIssuer = Static<typeof JwtIssuer>

export const Console = Type.Object(
  {
    address: Listener.properties.address,
    tls: Type.Optional(
      Type.Object(
        { cert: Type.Optional(Path('PEM certificate chain')), key: Type.Optional(Path('PEM private key')) },
        { ...closed, description: 'Serve it over TLS; without files with the certificate of our own' },
      ),
    ),
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[A-Za-z0-9_.:\\[\\]-]+/?$',
        description: 'Where people find it, behind a proxy or under a name',
      }),
    ),
    roles: Type.Object(
      {
        viewer: Type.Optional(Groups),
        investigator: Type.Optional(Groups),
        approver: Type.Optional(Groups),
        auditor: Type.Optional(Groups),
        admin: Type.Optional(Groups),
      } satisfies Record<Role, unknown>,
      { ...closed, minProperties: 1, description: 'Which groups have which role; nobody else gets in' },
    ),
  },
  { ...closed, description: 'The web console and its API' },
)
export type Console = Static<typeof Console>

const Container = (description: string) =>
  Type.String({ minLength: 3, maxLength: 63, pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', description })

export const BlobStoreConfig = Type.Object(
  {
    account: Type.Optional(Type.String({ pattern: '^[a-z0-9]{3,24}$', description: 'Storage account in the public cloud' })),
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[A-Za-z0-9.:\\[\\]-]+(/[A-Za-z0-9-]+)?/?$',
        description: 'Of the account, instead of `account`: another cloud, a private name, the emulator',
      }),
    ),
    container: Type.Optional(Container('Where sessions are recorded; `live` if not given')),
    ...AzureIdentity,
    evidence: Type.Optional(
      Type.Object(
        {
          container: Type.Optional(Container('`evidence` if not given')),
          ...AzureIdentity,
          retainDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 146_000 })),
          mode: Type.Optional(
            Type.Union([Type.Literal('unlocked'), Type.Literal('locked')], {
              default: 'unlocked',
              description: '`locked` can be made longer and never shorter, by nobody',
            }),
          ),
          legalHold: Type.Optional(Type.Boolean({ description: 'Every copy is put under legal hold' })),
          tags: Type.Optional(
            Type.Boolean({ description: 'Index tags on copies: session, gateway, target, day, state; needs `blobs/tags/write`' }),
          ),
        },
        { ...closed, description: 'Where ended tapes are copied to, as block blobs that are made once' },
      ),
    ),
    key: Type.Optional(SecretSource),
  },
  { ...closed, description: 'A container of Azure Blob Storage' },
)
export type BlobStoreConfig = Static<typeof BlobStoreConfig>

const StoreConfig = Type.Object(
  { blob: BlobStoreConfig },
  { ...closed, description: 'Where tapes are kept; dataDir if not given' },
)

const HttpUrl = Type.String({ pattern: '^https?://[^\\s?#]+$' })

export const LedgerConfig = Type.Object(
  {
    origin: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$',
        maxLength: 200,
        description:
          'The log’s name in its checkpoints, like `log.example.com/sallyport`; it can never change. Default: one made at the first start',
      }),
    ),
    witnesses: Type.Optional(
      Type.Array(
        Type.Object(
          {
            url: HttpUrl,
            key: Type.String({ minLength: 1, description: 'Its verifier key, `name+hash+key`: what `sallyport witness` prints' }),
          },
          closed,
        ),
        { maxItems: 16, description: 'Cosign every checkpoint (c2sp.org/tlog-witness)' },
      ),
    ),
    timestamps: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Name('Of what it answers, beside the ledger'),
            url: HttpUrl,
            everyMinutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080, default: 60 })),
          },
          closed,
        ),
        { maxItems: 16, description: 'Timestamp authorities (RFC 3161)' },
      ),
    ),
    anchors: Type.Optional(
      Type.Array(
        Type.Union([
          Type.Object({ name: Name('Shown in logs'), folder: Path('A folder') }, closed),
          Type.Object({ name: Name('Shown in logs'), blob: BlobStoreConfig }, closed),
        ]),
        {
          maxItems: 16,
          description: 'Where copies of every checkpoint are kept under other rights: a WORM container of another subscription',
        },
      ),
    ),
  },
  closed,
)
export type LedgerConfig = Static<typeof LedgerConfig>

const SignerConfig = Type.Object(
  {
    keyVault: Type.Object(
      { vault: VaultUrl, key: VaultName, version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })), ...AzureIdentity },
      closed,
    ),
  },
  { ...closed, description: 'What signs tapes: an EC key on P-256 in Azure Key Vault; if not given, a file in dataDir' },
)

export const Limits = Type.Object(
  {
    sessions: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions of one process' })),
    sessionsPerIdentity: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions of one subject in one process' })),
    connectionsUnproved: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Connections of one process that have not proved who they are' }),
    ),
    connectionsUnprovedPerAddress: Type.Optional(Type.Integer({ minimum: 1 })),
    handshakeTimeoutMs: Type.Optional(Type.Integer({ minimum: 100, description: 'From accept to proof' })),
    idleTimeoutMs: Type.Optional(Type.Integer({ minimum: 1_000, description: 'Without a recorded message in either direction' })),
    approvalTtlMs: Type.Optional(
      Type.Integer({ minimum: 1_000, description: 'How long a request may be decided, and an approval be used' }),
    ),
    shutdownTimeoutMs: Type.Optional(Type.Integer({ minimum: 100 })),
  },
  closed,
)
export type Limits = Static<typeof Limits>

/** sallyport.yaml. Environment variables carry only secrets and deployment facts; everything else stands here. */
export const Config = Type.Object(
  {
    gateway: Type.String({ pattern: '^[a-z0-9]{1,32}$', description: 'Names this gateway in session ids and certificates' }),
    dataDir: Path('Tapes, spool, keys and approvals'),
    policy: Path('The policy file'),
    recording: Type.Optional(Recording),
    store: Type.Optional(StoreConfig),
    signer: Type.Optional(SignerConfig),
    ledger: Type.Optional(LedgerConfig),
    listeners: Type.Object({ postgres: Type.Optional(Listener), echo: Type.Optional(Listener) }, { ...closed, minProperties: 1 }),
    targets: Type.Array(Target, { minItems: 1 }),
    identities: Type.Optional(Type.Array(ConfiguredIdentity)),
    jwt: Type.Optional(Type.Array(JwtIssuer)),
    limits: Type.Optional(Limits),
    console: Type.Optional(Console),
  },
  closed,
)
export type Config = Static<typeof Config>
