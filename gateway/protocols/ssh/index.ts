import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { ListenerSettings } from '../../config.ts'
import { DeviceLogins } from '../../identity/device-logins.ts'
import { blobOf, fingerprintOf } from '../../identity/ssh-keys.ts'
import { Chatter } from '../../intake.ts'
import { loadShell } from '../../policy/shell/facts.ts'
import type { Protocol, Session, Sessions } from '../../protocol.ts'
import { Conversation } from './conversation.ts'
import { type Door, type Greeting, greet } from './greet.ts'
import { hostKeys } from './host-key.ts'
import { loginUpstream } from './login.ts'
import { turnAway } from './turn-away.ts'
import { SshWire } from './wire.ts'

/** What a listener's clients know it by, and whose certificates it takes. Rejects CONFIG_INVALID for keys that are none. */
export async function doorOf(
  settings: ListenerSettings['ssh'],
  own: { readonly keysDir: string; readonly gateway: string },
): Promise<Door> {
  await loadShell()
  return {
    hostKeys: await hostKeys(settings?.hostKeyFiles, own),
    authorities: new Set(settings?.userAuthorities.map((line) => fingerprintOf(blobOf(line)))),
    ...(settings?.device === undefined ? {} : { devices: new DeviceLogins({ way: settings.device }) }),
  }
}

/** SSH behind one door: host keys and the authorities of users' certificates. */
export function ssh(door: Door): Protocol {
  return {
    name: 'ssh',
    async serve(socket: Duplex, sessions: Sessions, signal: AbortSignal): Promise<void> {
      const greeting = await greet(socket, door, sessions, signal)
      if (greeting === undefined) return
      if (greeting.opened instanceof ApplianceError) return turnAway(greeting, greeting.opened)
      await using session = greeting.opened
      await converse(greeting, session)
      greeting.connection.end()
    },
  }
}

/** Login upstream and all channels, to the end. The session's own errors are on its tape before the client hears them. */
async function converse({ connection, facts, admit }: Greeting, session: Session): Promise<void> {
  const wire = new SshWire()
  const gate = session.gate(wire)
  const over = new AbortController()
  const stop = AbortSignal.any([session.signal, over.signal])
  await session.note('authentication', facts)
  const chatter = new Chatter()
  const upstream = login(session, chatter, stop)
  // Told on every channel that needs it; where none does, nobody waits for it.
  upstream.catch(() => undefined)
  const conversation = new Conversation({ connection, gate, wire, signal: session.signal, upstream, chatter })
  admit()
  session.closing(await conversation.ended())
  over.abort()
  await upstream.then(
    ({ client }) => client.end(),
    () => undefined,
  )
}

async function login(session: Session, chatter: Chatter, signal: AbortSignal): ReturnType<typeof loginUpstream> {
  const upstream = await loginUpstream(session.target, await session.credential(), chatter, signal)
  await session.note('upstream', upstream.facts)
  return upstream
}
