import { type Static, Type } from 'typebox'
import type { Role } from './api.ts'
import { AccessConfig, ApprovalsConfig, NotifyConfig } from './config-approvals.ts'
import { EgressConfig, EgressListener } from './config-egress.ts'
import { LedgerConfig, SignerConfig, StoreConfig } from './config-evidence.ts'
import { JwtIssuer, SignInConfig } from './config-identity.ts'
import { Limits } from './config-limits.ts'
import {
  AzureIdentity,
  closed,
  Group,
  Groups,
  Name,
  oneOf,
  Path,
  Port,
  SecretSource,
  Subject,
  TargetPath,
  TlsTerms,
  VaultName,
  VaultUrl,
} from './config-parts.ts'
import { RetentionConfig } from './config-retention.ts'
import { SiemConfig } from './config-siem.ts'
import { PublicKey, SshListener } from './config-ssh.ts'
import { SummaryConfig } from './config-summary.ts'
import { TracesConfig } from './config-traces.ts'
import { type FindingsConfig, FindingsConfig as FindingsConfigSchema } from './findings.ts'
import { DURABILITY_LEVELS, type Durability, PROTOCOL_NAMES } from './session.ts'

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
          key: Type.Optional(Path('PEM private key; read again with `cert` when they change, without a restart')),
          ...TlsTerms,
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
              description:
                'MiB of one session not yet in the store; beyond it, it waits. Default: 4, or 16 while all sessions of the process together have no more',
            }),
          ),
        },
        { ...closed, description: 'What may wait for the store' },
      ),
    ),
  },
  closed,
)

const Target = Type.Object(
  {
    name: Name('What clients ask for'),
    protocol: oneOf(PROTOCOL_NAMES),
    host: Type.Optional(Type.String({ minLength: 1, description: 'Of all but egress' })),
    port: Type.Optional(Port),
    path: Type.Optional(TargetPath),
    egress: Type.Optional(EgressConfig),
    database: Type.Optional(Type.String({ minLength: 1, description: 'Where clients name none' })),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    hosts: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' }), {
        minItems: 1,
        uniqueItems: true,
        description: 'http: names clients reach it by at the listener, beside /t/<name>/',
      }),
    ),
    groups: Type.Array(Group, { uniqueItems: true, description: 'Who may reach it; none only where `access` is given' }),
    access: Type.Optional(AccessConfig),
    tls: Type.Optional(UpstreamTls),
    durability: Type.Optional(DurabilityLevel('The level every session with this target gets at least')),
    hostKeys: Type.Optional(
      Type.Array(PublicKey('One of these the target must prove to have'), {
        minItems: 1,
        uniqueItems: true,
        description: 'For ssh: as `ssh-keyscan` prints them, without the name in front',
      }),
    ),
    hostAuthorities: Type.Optional(
      Type.Array(PublicKey('An authority for hosts (`@cert-authority` of known_hosts)'), {
        minItems: 1,
        uniqueItems: true,
        description:
          'For ssh: a host certificate of one of these is as good as one of hostKeys, where it names hostName and is valid',
      }),
    ),
    hostName: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$',
        description: 'For ssh: the principal its host certificate must have. Default: `host`',
      }),
    ),
    credential: Type.Optional(
      Type.Object(
        {
          user: Type.Optional(Type.String({ minLength: 1, description: 'http: without it the password is a bearer token' })),
          header: Type.Optional(
            Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$', description: 'http: the header that takes the password as it is' }),
          ),
          password: Type.Optional(SecretSource),
          certificate: Type.Optional(Type.Object({ cert: Path('PEM client certificate'), key: SecretSource }, closed)),
          privateKey: Type.Optional(
            Type.Unsafe<SecretSource>({ ...SecretSource, description: 'For ssh: in OpenSSH format, without a passphrase' }),
          ),
          userCertificate: Type.Optional(
            Path('For ssh: a certificate for privateKey as in `*-cert.pub`, read anew for every session'),
          ),
          keyVault: Type.Optional(
            Type.Object(
              { vault: VaultUrl, secret: VaultName, ...AzureIdentity },
              { ...closed, description: 'The password is a secret of Azure Key Vault' },
            ),
          ),
          impersonate: Type.Optional(
            Type.Object(
              {
                prefix: Type.Optional(
                  Type.String({ pattern: '^[A-Za-z0-9:@._-]{1,64}$', description: 'Stands before the names of user and groups' }),
                ),
              },
              { ...closed, description: 'kubernetes: each request is made in the name of the one who asks, and its groups' },
            ),
          ),
          managedIdentity: Type.Optional(
            Type.Object(
              {
                ...AzureIdentity,
                scope: Type.Optional(
                  Type.String({ pattern: '^[a-zA-Z0-9:/._-]{1,200}$', description: 'http, kubernetes: whose API it opens' }),
                ),
              },
              { ...closed, description: 'The password is a token: Azure Database for PostgreSQL with Entra, or an API' },
            ),
          ),
        },
        { ...closed, description: 'Of all but egress' },
      ),
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
    sshKeys: Type.Optional(Type.Array(PublicKey('Proves this identity to an ssh listener'), { uniqueItems: true })),
  },
  closed,
)
export type ConfiguredIdentity = Static<typeof ConfiguredIdentity>

export const Console = Type.Object(
  {
    address: Listener.properties.address,
    tls: Type.Optional(
      Type.Object(
        { cert: Type.Optional(Path('PEM certificate chain')), key: Type.Optional(Path('PEM private key')), ...TlsTerms },
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
    signIn: Type.Optional(SignInConfig),
  },
  { ...closed, description: 'The web console and its API' },
)
export type Console = Static<typeof Console>

export const CatalogConfig = Type.Object(
  {
    url: Type.Optional(
      Type.Unsafe<SecretSource>({
        ...SecretSource,
        description:
          'A database of its own at a PostgreSQL server (15 or newer, with pg_trgm), `postgres://user:password@host/database?sslmode=verify-full`; without it in files below dataDir',
      }),
    ),
    managedIdentity: Type.Optional(
      Type.Object(AzureIdentity, {
        ...closed,
        description:
          'Logs in to `url` with a token of Entra in the place of a password, renewed by itself; its user is the name the identity has there',
      }),
    ),
    keep: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,4}d$',
        description:
          'Sessions of months that ended longer ago are not in the catalog; their tapes stay. Everything, where it is not given',
      }),
    ),
  },
  {
    ...closed,
    description: 'The catalog: what lists, searches and findings are answered from; made from the tapes, and made again at will',
  },
)
export type CatalogConfig = Static<typeof CatalogConfig>

export const SharedConfig = Type.Object(
  {
    url: Type.Unsafe<SecretSource>({
      ...SecretSource,
      description:
        'A database of its own at a PostgreSQL server (15 or newer), `postgres://user:password@host/database?sslmode=verify-full` (refused without it but on this machine); may be that of the catalog',
    }),
    managedIdentity: Type.Optional(
      Type.Object(AzureIdentity, { ...closed, description: 'The password is a token: Azure Database for PostgreSQL with Entra' }),
    ),
  },
  {
    ...closed,
    description:
      'Where gateways on several machines agree on approvals, access keys, budgets, kills and who is kept out; without it in dataDir, which those of one machine share. Back it up',
  },
)
export type SharedConfig = Static<typeof SharedConfig>

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
    listeners: Type.Object(
      {
        postgres: Type.Optional(Listener),
        ssh: Type.Optional(SshListener(Listener.properties.address)),
        http: Type.Optional(Listener),
        kubernetes: Type.Optional(Listener),
        egress: Type.Optional(EgressListener(Listener.properties)),
        echo: Type.Optional(Listener),
      },
      { ...closed, minProperties: 1 },
    ),
    targets: Type.Array(Target, { minItems: 1 }),
    identities: Type.Optional(Type.Array(ConfiguredIdentity)),
    jwt: Type.Optional(Type.Array(JwtIssuer)),
    limits: Type.Optional(Limits),
    console: Type.Optional(Console),
    catalog: Type.Optional(CatalogConfig),
    shared: Type.Optional(SharedConfig),
    monitoring: Type.Optional(
      Type.Object(
        { address: Listener.properties.address },
        { ...closed, description: '/healthz, /readyz and /metrics over plain HTTP: numbers only, for probes and collectors' },
      ),
    ),
    traces: Type.Optional(TracesConfig),
    findings: Type.Optional(FindingsConfigSchema),
    approvals: Type.Optional(ApprovalsConfig),
    notify: Type.Optional(NotifyConfig),
    siem: Type.Optional(SiemConfig),
    retention: Type.Optional(RetentionConfig),
    summary: Type.Optional(SummaryConfig),
  },
  closed,
)
export type Config = Omit<Static<typeof Config>, 'findings'> & { readonly findings?: FindingsConfig }
