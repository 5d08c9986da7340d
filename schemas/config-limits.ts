import { type Static, Type } from 'typebox'
import { closed } from './config-parts.ts'

export const Limits = Type.Object(
  {
    sessions: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions of one process' })),
    sessionsPerIdentity: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions of one subject in one process' })),
    sessionStartsPerIdentity: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Sessions that one subject may begin in a minute, in one process' }),
    ),
    connectionsPerAddress: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Connections that one address may open in a second, at one listener of one process',
      }),
    ),
    connectionsUnproved: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Connections of one process that have not proved who they are' }),
    ),
    connectionsUnprovedPerAddress: Type.Optional(Type.Integer({ minimum: 1 })),
    handshakeTimeoutMs: Type.Optional(Type.Integer({ minimum: 100, description: 'From accept to proof' })),
    idleTimeoutMs: Type.Optional(Type.Integer({ minimum: 1_000, description: 'Without a recorded message in either direction' })),
    approvalTtlMs: Type.Optional(
      Type.Integer({ minimum: 1_000, description: 'How long a request may be decided, and an approval be used' }),
    ),
    approvalHistoryMs: Type.Optional(
      Type.Integer({
        minimum: 3_600_000,
        description: 'How long a request that has ended stays at the desk; its steps stay in the ledger',
      }),
    ),
    drainTimeoutMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 3_600_000,
        description: 'After SIGTERM: how long open sessions may go on before they are told to end',
      }),
    ),
    shutdownTimeoutMs: Type.Optional(Type.Integer({ minimum: 100 })),
    busyPollMicros: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10_000,
        description:
          'How long behind a message a process asks its sockets again before it sleeps, as waking a core takes longer than a query; 0: never. Left out: 300 where it may use two cores or more',
      }),
    ),
  },
  closed,
)
export type Limits = Static<typeof Limits>
