import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import { Intake } from '../../intake.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { relay } from '../../relay.ts'
import { EchoWire, echoFrame } from './wire.ts'

/** The first frame is the knock, `<target> <secret>`; everything after it is echoed by the target, channel by channel. */
export const echo: Protocol = {
  name: 'echo',
  async serve(client: Duplex, sessions: Sessions, signal: AbortSignal): Promise<void> {
    try {
      const knock = await firstFrame(client)
      const [target = '', secret = ''] = knock.split(' ', 2)
      await using session = await sessions.open({ protocol: 'echo', client: 'echo', secret, target, claims: {} }, signal)
      const wire = new EchoWire()
      const server = connect({ host: session.target.host, port: session.target.port, noDelay: true })
      // Not waited for: what becomes of it is told, and recorded, as anything that ends the session.
      session.closing(await relay({ client, server }, wire, session.gate(wire), session.signal))
    } catch (error) {
      const text = error instanceof ApplianceError ? `! ${error.code}: ${error.message}` : '! the gateway failed'
      client.end(echoFrame(0, text))
    }
  },
}

/** The text of the first frame; what came behind it is given back to the socket. */
async function firstFrame(client: Duplex): Promise<string> {
  const intake = new Intake(client)
  const wire = new EchoWire()
  const chunks: Uint8Array[] = []
  let used = 0
  try {
    for (let chunk = await intake.next(); chunk !== null; chunk = await intake.next()) {
      chunks.push(chunk)
      const [knock] = wire.receive('client', chunk)
      if (knock === undefined) continue
      used = knock.bytes.length
      return knock.command?.() ?? ''
    }
    throw new ApplianceError('AUTH_REQUIRED', 'the connection ended before it said who it is')
  } finally {
    const unread = Buffer.concat([...chunks, intake.close()]).subarray(used)
    if (unread.length > 0 && !client.readableEnded) client.unshift(unread)
  }
}
