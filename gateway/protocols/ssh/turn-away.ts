import { once } from 'node:events'
import type { ServerChannel } from 'ssh2'
import type { ApplianceError } from '../../../schemas/errors.ts'
import { because } from './disconnect.ts'
import type { Greeting } from './greet.ts'

/** How long a client that cannot be served may stay to hear why. */
const STAY_MS = 10_000
const CONNECTION_FAILED = 255

/**
 * Lets a client in that has proved who it is, only to tell it on whatever channel it opens why there is no session: SSH has no words
 * for that beside an authentication that failed, which it did not. Nothing it sends is used.
 */
export async function turnAway({ connection, admit }: Greeting, error: ApplianceError): Promise<void> {
  because(connection, `${error.code}: ${error.message}`)
  const tell = (channel: ServerChannel | undefined): void => {
    if (channel === undefined) return
    channel.on('error', () => undefined)
    channel.resume()
    channel.stderr.write(`sallyport: ${error.code}: ${error.message}\n`, () => {
      channel.exit(CONNECTION_FAILED)
      channel.end()
    })
    channel.once('close', () => connection.end())
  }
  connection.on('session', (accept) => {
    const session = accept()
    session.on('exec', (acceptExec) => tell(acceptExec()))
    session.on('shell', (acceptShell) => tell(acceptShell()))
    session.on('subsystem', (acceptSubsystem) => tell(acceptSubsystem()))
  })
  const timer = setTimeout(() => connection.end(), STAY_MS)
  const closed = once(connection, 'close')
  admit()
  await closed
  clearTimeout(timer)
}
