import { type Static, Type } from 'typebox'
import { Approvers, closed, Duration, Groups, Name, SecretSource, Subject } from './config-parts.ts'

/** Of a target: who may ask for a while of access that their groups do not give. */
export const AccessConfig = Type.Object(
  {
    groups: Type.Array(Groups.items, { minItems: 1, uniqueItems: true, description: 'Who may ask' }),
    approvers: Approvers,
    max: Type.Optional(Duration('The longest that may be asked for; 8h if not given')),
  },
  { ...closed, description: 'Access for a while: asked for with a reason, approved, and over by itself' },
)
export type AccessConfig = Static<typeof AccessConfig>

export const ApprovalsConfig = Type.Object(
  {
    breakGlass: Type.Optional(
      Type.Array(Groups.items, {
        minItems: 1,
        uniqueItems: true,
        description:
          'Whose people may approve alone, past the approvers, with a reason; every channel is told, and it is reviewed',
      }),
    ),
  },
  closed,
)
export type ApprovalsConfig = Static<typeof ApprovalsConfig>

const Webhook = Type.Object(
  {
    url: Type.Union([Type.String({ pattern: '^https?://[^\\s#]+$' }), SecretSource]),
    secret: SecretSource,
  },
  {
    ...closed,
    description: 'CloudEvents 1.0 in JSON, signed as Standard Webhooks says; the secret is `whsec_` and base64 of 24 to 64 bytes',
  },
)
const Slack = Type.Object(
  {
    token: SecretSource,
    signingSecret: SecretSource,
    team: Type.String({ pattern: '^[TE][A-Z0-9]{2,20}$', description: 'The workspace, T...' }),
    channel: Type.String({ pattern: '^[CG][A-Z0-9]{2,20}$', description: 'Where messages go, C...' }),
    approvers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[UW][A-Z0-9]{2,20}$' }), Subject, {
        description: 'Configured identities by Slack user id; nobody else decides there',
      }),
    ),
    api: Type.Optional(
      Type.String({ pattern: '^https?://[^\\s#?]+[^/\\s#?]$', description: 'Of the Web API; https://slack.com/api' }),
    ),
  },
  { ...closed, description: 'Messages with buttons' },
)
const Teams = Type.Object(
  { url: SecretSource },
  { ...closed, description: 'Adaptive cards through the URL of a workflow; they link to the console' },
)

export const NotifyConfig = Type.Array(
  Type.Union([
    Type.Object({ name: Name('Shown in logs; what was told is kept under it'), webhook: Webhook }, closed),
    Type.Object({ name: Name('Shown in logs; what was told is kept under it'), slack: Slack }, closed),
    Type.Object({ name: Name('Shown in logs; what was told is kept under it'), teams: Teams }, closed),
  ]),
  { maxItems: 16, description: 'Who is told of requests for approval beside the console and the command line' },
)
export type NotifyConfig = Static<typeof NotifyConfig>
