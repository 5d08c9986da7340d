import { type Static, Type } from 'typebox'
import { closed, SecretSource } from './config-parts.ts'

export const TracesConfig = Type.Object(
  {
    otlp: Type.Object(
      {
        url: Type.String({ pattern: '^https?://[^\\s#]+$', description: 'Whole, like `https://collector:4318/v1/traces`' }),
        authorization: Type.Optional(SecretSource),
      },
      { ...closed, description: 'Over HTTP in JSON; `authorization` is that header' },
    ),
    ratio: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 1,
        description:
          'Share of the traces that are told of, each whole within one process; by a hash that nobody who chooses an id knows',
      }),
    ),
    messagesPerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        default: 50,
        description: 'Messages, and as many sessions, that one process tells of in a second',
      }),
    ),
    everyMs: Type.Optional(
      Type.Integer({ minimum: 100, maximum: 60_000, default: 5_000, description: 'How often what waits is sent' }),
    ),
  },
  {
    ...closed,
    description:
      "Spans of sessions and messages for an OpenTelemetry collector: times, verdicts and rules, no payloads and nobody's name",
  },
)
export type TracesConfig = Static<typeof TracesConfig>
