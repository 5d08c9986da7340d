import type { IncomingMessage } from 'node:http'
import type { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Identity, ProtocolName } from '../../../schemas/session.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import type { Credential } from '../../credentials/credential.ts'
import { requestFacts } from '../../policy/http/facts.ts'
import type { Fields } from './fields.ts'
import type { Headers, RequestHead } from './head.ts'
import { injected } from './injected.ts'
import type { JsonFields } from './json-body.ts'
import { type Media, typeOf } from './media.ts'
import { errorResponse, refusalResponse } from './refusal.ts'
import type { TunnelCodec } from './tunnel-message.ts'
import { isWebSocket, WebSocketTunnel } from './websocket-tunnel.ts'

/** How one request is read: what rules see of it, what of it goes on, and how its bodies and those of its answer are looked into. */
export interface Reading {
  /** Of its message. */
  readonly kind: string
  /** As they go on. */
  readonly headers: Headers
  /** What a person reads who decides on it; the request itself where absent. */
  readonly command?: string
  /** What an approval of it is bound to; to its exact bytes where absent. */
  readonly binding?: Uint8Array
  readonly fields: JsonFields
  /** How its body is read; as its type says where absent. */
  readonly media?: Media
  /** Of the answer. `media`: how a body of this kind is to be read; throws TARGET_REFUSED for one that cannot be. */
  readonly answer: { readonly fields: JsonFields; readonly media: (media: Media, type: string) => Media }
  /** `body`: unpacked; undefined where it follows in parts. `beginning`: what is there of one that does. */
  facts(body: Uint8Array | undefined, beginning?: Uint8Array): Facts
}

/** A protocol that is spoken over HTTP: where it is more than HTTP, it says so here. */
export interface Dialect {
  readonly protocol: ProtocolName
  read(head: RequestHead, fields: Fields): Reading
  refusal(refusal: Refusal): Buffer
  error(error: ApplianceError): Buffer
  /** What proves the gateway to the target. */
  proof(credential: Credential, identity: Identity): Headers
  /** Whether the upgrade that is asked for can be looked into; every other is declined by going on without it. */
  upgrades(request: IncomingMessage): boolean
  /** What of the target's answer to an upgrade decides how it is read; throws TARGET_REFUSED where it cannot be. */
  codec(upgraded: {
    readonly head: RequestHead
    readonly headers: Headers
    readonly facts: Facts
    readonly channel: number
    readonly fields: JsonFields
  }): TunnelCodec
}

/** HTTP and nothing more. */
export const PLAIN: Dialect = {
  protocol: 'http',
  read: (head, fields) => ({
    kind: 'request',
    headers: head.headers,
    fields,
    answer: { fields, media: (media) => media },
    facts: (body, beginning) =>
      requestFacts({ method: head.method, target: head.target, contentType: typeOf(head.headers), body, beginning }),
  }),
  refusal: refusalResponse,
  error: errorResponse,
  proof: injected,
  upgrades: isWebSocket,
  codec: ({ channel, fields }) => new WebSocketTunnel({ channel, fields }),
}
