import { type Static, type TSchema, Type } from 'typebox'
import { ApprovalView } from './api-approvals.ts'
import type { ServerEventName } from './api-names.ts'
import { SessionRow } from './api-sessions.ts'
import { SessionProgress } from './api-tapes.ts'
import { FindingRow } from './findings.ts'

/**
 * Server-sent events of `GET /events`, by their `event:` name; `data:` is the JSON below. Each has an id; `Last-Event-ID` gets what was
 * missed, or one `reset` when that is no longer kept: then ask again for what is on the page. A comment comes every 15 s.
 * `GET /sessions/:id/live` sends `progress` (the state now first, then at each change) and `closed` last.
 */
export const SERVER_EVENTS = {
  opened: SessionRow,
  progress: SessionProgress,
  closed: SessionRow,
  approval: ApprovalView,
  finding: FindingRow,
  reset: Type.Object({}),
} as const satisfies Readonly<Record<ServerEventName, TSchema>>
export type ServerEvent = {
  readonly [N in ServerEventName]: { readonly event: N; readonly data: Static<(typeof SERVER_EVENTS)[N]> }
}[ServerEventName]
