import type { Request, Response } from 'express'
import type { EndpointName, SessionState } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { samePerson } from '../../schemas/session.ts'
import type { Asker } from '../catalog/turns.ts'
import { openTape } from '../tape/reader.ts'
import type { EventHub } from './event-hub.ts'
import type { ApiParts } from './parts.ts'
import type { SignIns } from './sign-ins.ts'
import { isSessionId } from './tape-objects.ts'
import { maySee, type Viewer } from './viewer.ts'

/** Ended sessions whose target and state are remembered: whoever seeks asks for hundreds of ranges of one tape. */
const MAX_KNOWN = 10_000

/** What every handler works with. */
export interface Context {
  readonly parts: ApiParts
  readonly signIns: SignIns
  readonly hub: EventHub
  readonly secure: boolean
  /** Where people find the console, without a slash at its end; known once it listens. */
  readonly base: () => string
  /** Ended sessions by id: nothing of what is kept of them changes any more. */
  readonly ended: Map<string, KnownSession>
}

export interface Asked {
  readonly request: Request
  readonly response: Response
  readonly viewer: Viewer
}

/** Returns the JSON answer; undefined where it has answered itself. */
export type Handler = (asked: Asked, context: Context) => Promise<unknown>
export type Handlers<N extends EndpointName> = Readonly<Record<N, Handler>>

export interface KnownSession {
  readonly id: string
  readonly target: string
  readonly state: SessionState
}

/**
 * The session of the path, where this viewer may see it. One answer for those that are not there, those of other targets, and
 * names that cannot be: which of it is nobody's to find out. Also finds tapes the catalog has not read yet.
 */
export function sessionOf({ request, viewer }: Asked, context: Context): Promise<KnownSession> {
  return knownSession(String(request.params['id']), viewer, context)
}

/** As sessionOf, for one that is named elsewhere. */
export async function knownSession(id: string, viewer: Viewer, { parts, ended }: Context): Promise<KnownSession> {
  const found = isSessionId(id) ? (ended.get(id) ?? (await find(id, parts))) : undefined
  if (found !== undefined && found.state !== 'live') {
    if (ended.size >= MAX_KNOWN) ended.clear()
    ended.set(id, found)
  }
  if (found === undefined || !maySee(viewer, found.target)) throw unknownSession()
  return found
}

/** Who waits for what takes long, until they leave. */
export function askerOf(response: Response, { identity }: Viewer): Asker {
  const leaves = new AbortController()
  response.once('close', () => leaves.abort())
  return { person: samePerson(identity.subject), gone: leaves.signal }
}

export function unknownSession(): ApplianceError {
  return new ApplianceError('API_UNKNOWN', 'there is no such session that you may see')
}

async function find(id: string, { catalog, store }: ApiParts): Promise<KnownSession | undefined> {
  const row = await catalog.session(id)
  if (row !== null) return { id, target: row.target.name, state: row.state }
  try {
    const { header, state } = await openTape(store, id)
    return {
      id,
      target: header.session.target.name,
      state: state === 'open' ? 'live' : state === 'recovered' ? 'incomplete' : 'sealed',
    }
  } catch (error) {
    if (error instanceof ApplianceError && (error.code === 'STORE_MISSING' || error.code === 'TAPE_MALFORMED')) return undefined
    throw error
  }
}
