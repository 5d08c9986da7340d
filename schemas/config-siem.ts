import { type Static, Type } from 'typebox'
import { closed, Name, Path, SecretSource } from './config-parts.ts'

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
