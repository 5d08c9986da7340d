import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { Intake } from '../../intake.ts'
import type { Message } from '../../message.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { relay } from '../../relay.ts'
import { EchoWire, echoFrame } from './wire.ts'

/** The first frame is the knock, `<target> <secret>`; everything after it is echoed by the target, channel by channel. */
export const echo: Protocol = {
  name: 'echo',
  async serve(client: Duplex, sessions: Sessions, signal: AbortSignal): Promise<void> {
    const wire = new EchoWire()
    try {
      const [knock, ...early] = await firstMessages(client, wire)
      if (early.length > 0) client.unshift(Buffer.concat(early.map((message) => message.bytes)))
      const [target = '', secret = ''] = (knock?.command?.() ?? '').split(' ', 2)
      await using session = await sessions.open({ protocol: 'echo', client: 'echo', secret, target, claims: {} }, signal)
      const server = connect({ host: session.target.host, port: session.target.port, noDelay: true })
      await once(server, 'connect', { signal: session.signal })
      session.closing(await relay({ client, server }, wire, session.gate(wire), session.signal))
    } catch (error) {
      const text = error instanceof ApplianceError ? `! ${error.code}: ${error.message}` : '! the gateway failed'
      client.end(echoFrame(0, text))
    }
  },
}

async function firstMessages(client: Duplex, wire: EchoWire): Promise<readonly Message[]> {
  const intake = new Intake(client)
  try {
    for (let chunk = await intake.next(); chunk !== null; chunk = await intake.next()) {
      const messages = wire.receive('client', chunk)
      if (messages.length > 0) return messages
    }
    throw new ApplianceError('AUTH_REQUIRED', 'the connection ended before it said who it is')
  } finally {
    const unread = intake.close()
    if (unread.length > 0) client.unshift(unread)
  }
}
