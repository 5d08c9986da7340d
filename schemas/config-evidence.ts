import { type Static, Type } from 'typebox'
import { AzureIdentity, closed, Name, Path, SecretSource, VaultName, VaultUrl } from './config-parts.ts'
export const Container = (description: string) =>
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

export const StoreConfig = Type.Object(
  { blob: BlobStoreConfig },
  { ...closed, description: 'Where tapes are kept; dataDir if not given' },
)

export const HttpUrl = Type.String({ pattern: '^https?://[^\\s?#]+$' })

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

export const SignerConfig = Type.Object(
  {
    keyVault: Type.Object(
      { vault: VaultUrl, key: VaultName, version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })), ...AzureIdentity },
      closed,
    ),
  },
  { ...closed, description: 'What signs tapes: an EC key on P-256 in Azure Key Vault; if not given, a file in dataDir' },
)
