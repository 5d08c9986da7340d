import { type Static, Type } from 'typebox'
import { AzureIdentity, closed, Name, Path, SecretSource } from './config-parts.ts'

const Sink = Name('Shown in logs and metrics; how far it was told is kept under it')
const Url = Type.String({ pattern: '^https?://[^\\s#]+$' })

export const SiemConfig = Type.Array(
  Type.Union([
    Type.Object(
      {
        name: Sink,
        webhook: Type.Object(
          { url: Type.Union([Url, SecretSource]), secret: SecretSource },
          {
            ...closed,
            description: 'Arrays of OCSF 1.8 events in JSON, signed as Standard Webhooks says; the secret is `whsec_` and base64',
          },
        ),
      },
      closed,
    ),
    Type.Object(
      {
        name: Sink,
        syslog: Type.Object(
          {
            address: Type.String({
              pattern: '^(\\[[0-9A-Fa-f:.%]+\\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$',
              description: '`host:port` or `[v6]:port`',
            }),
            tls: Type.Optional(
              Type.Object(
                {
                  mode: Type.Optional(Type.Union([Type.Literal('verify'), Type.Literal('off')], { default: 'verify' })),
                  ca: Type.Optional(Path('PEM certificates to trust instead of the system ones')),
                  serverName: Type.Optional(Type.String({ minLength: 1 })),
                },
                { ...closed, description: '`off` sends in clear' },
              ),
            ),
          },
          {
            ...closed,
            description: 'CEF in syslog (RFC 5424, counted as RFC 6587 says) over TCP with TLS; a connection for each batch',
          },
        ),
      },
      closed,
    ),
    Type.Object(
      {
        name: Sink,
        logsIngestion: Type.Object(
          {
            endpoint: Type.String({
              pattern: '^https?://[A-Za-z0-9.:-]+/?$',
              description: 'Logs ingestion of the data collection rule, or of a data collection endpoint',
            }),
            rule: Type.String({ pattern: '^dcr-[0-9a-f]{32}$', description: 'The immutable id of the data collection rule' }),
            stream: Type.String({
              pattern: '^(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}$',
              description: 'Of the rule: `Microsoft-ASimAuditEventLogs`, or one that it declares',
            }),
            ...AzureIdentity,
          },
          {
            ...closed,
            description:
              'Azure Monitor and Microsoft Sentinel, in the words of ASIM (Audit Event), by the managed identity, which needs Monitoring Metrics Publisher on the rule',
          },
        ),
      },
      closed,
    ),
    Type.Object(
      {
        name: Sink,
        otlp: Type.Object(
          {
            url: Type.String({ pattern: '^https?://[^\\s#]+$', description: 'Whole, like `https://collector:4318/v1/logs`' }),
            authorization: Type.Optional(SecretSource),
          },
          { ...closed, description: 'OpenTelemetry logs over HTTP in JSON; `authorization` is that header' },
        ),
      },
      closed,
    ),
  ]),
  { maxItems: 16, description: 'Where every entry of the ledger is told as it comes' },
)
export type SiemConfig = Static<typeof SiemConfig>
