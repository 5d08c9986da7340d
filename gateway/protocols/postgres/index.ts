import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Output } from '../../message.ts'
import type { Protocol, Session, Sessions } from '../../protocol.ts'
import { relay, send } from '../../relay.ts'
import { cancelUpstream } from './cancel.ts'
import { Columns } from './column-judge.ts'
import { type Greeting, greet } from './greet.ts'
import { loginUpstream, type Upstream } from './login.ts'
import { startupSettings } from './login-parameters.ts'
import { admission, opening, welcome } from './opening.ts'
import { dismiss, errorResponse, reportError } from './refuse.ts'
import { sqlReader } from './sql-reader.ts'
import { PostgresWire } from './wire.ts'

/** Process id and secret: what 3.0 has room for, and what 3.2 was made for (manual, BackendKeyData). */
const KEY_SIZE = { old: 8, new: 4 + 32 } as const

type Startup = Extract<Greeting, { kind: 'startup' }>

export const postgres: Protocol = {
  name: 'postgres',
  async serve(socket: Duplex, sessions: Sessions, signal: AbortSignal): Promise<void> {
    const greeting = await greet(socket, { tls: sessions.tls }, signal)
    if (greeting.kind === 'closed') return
    if (greeting.kind === 'cancel') {
      await sessions.cancel(greeting.key)
      return dismiss(greeting.client, undefined)
    }
    try {
      await using session = await sessions.open(greeting.knock, signal)
      await converse(greeting, session, sessions)
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      await dismiss(greeting.client, reportError(error))
    }
  },
}

/** Login upstream, welcome the client, relay to the end. The session's own errors are on its tape before the client hears them. */
async function converse(greeting: Startup, session: Session, sessions: Sessions): Promise<void> {
  const { client } = greeting
  const credential = await session.credential()
  const database = greeting.knock.database ?? session.target.database ?? session.target.name
  let upstream: Upstream | undefined
  const cancel = (): void => {
    if (upstream === undefined) return
    const { socket, cancelKey } = upstream
    // What the client asks next waits until the server has taken the cancel: one that came late would stop the wrong statement.
    socket.cork()
    cancelUpstream(session.target, credential, cancelKey, session.signal)
      .catch((error: unknown) => {
        if (session.signal.aborted) return
        // The statement runs on; its answer is not needed, and the client learns nothing from our failure to stop it.
        session
          .note('cancel.failed', { code: error instanceof ApplianceError ? error.code : 'unknown' })
          .catch(() => session.closing('recording failed'))
      })
      .finally(() => socket.uncork())
  }
  const columns = new Columns(session, database)
  const wire = new PostgresWire({
    reader: sqlReader,
    columns,
    place: [credential.user, database, ...startupSettings(greeting.parameters)],
    cancelUpstream: cancel,
  })
  const gate = session.gate(wire)
  await gate.take(opening(greeting))
  await gate.say([{ to: 'client', bytes: greeting.sent, own: { kind: 'authentication', facts: { asked: 'password' } } }])
  try {
    upstream = await loginUpstream(
      session.target,
      credential,
      { database, parameters: greeting.parameters, version: greeting.version },
      session.signal,
    )
    await columns.ready()
  } catch (error) {
    upstream?.socket.destroy()
    session.closing(error instanceof ApplianceError ? `${error.code}: ${error.message}` : 'the login upstream failed')
    await gate.say([{ to: 'client', bytes: errorResponse(reportError(error)), own: { kind: 'refusal', facts: {} } }])
    return dismiss(client, reportError(error))
  }
  const { tls, authentication, serverVersion } = upstream
  await session.note('upstream', {
    host: session.target.host,
    port: session.target.port,
    tls: tls?.protocol ?? 'none',
    authentication,
    serverVersion,
  })
  using key = sessions.cancellable(greeting.version.minor >= 2 ? KEY_SIZE.new : KEY_SIZE.old, () => {
    if (!gate.cancelHolds()) cancel()
  })
  const ends = { client, server: upstream.socket }
  const write = async (outputs: readonly Output[]): Promise<void> => send(ends, outputs, session.signal)
  for await (const outputs of gate.pass([welcome(upstream)], session.signal)) await write(outputs)
  await write(await gate.say(admission(key.key)))
  session.closing(await relay(ends, wire, gate, session.signal))
}
