import type { KeyboardAuthContext } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import { safeText } from '../../../schemas/safe-text.ts'
import type { DeviceLogins } from '../../identity/device-logins.ts'
import type { Sessions } from '../../protocol.ts'

const TITLE = 'Sallyport'
/** What a client names as a submethod (RFC 4256, 3.1) whose person will not be asked for a key: `ssh -o KbdInteractiveDevices=device`. */
const DEVICE = 'device'

export interface Asking {
  readonly devices: DeviceLogins | undefined
  readonly sessions: Pick<Sessions, 'awaiting' | 'client'>
  /** Aborted when the connection is closed, or is to be. */
  readonly signal: AbortSignal
}

/**
 * Asks (keyboard-interactive, RFC 4256) for an access key, or has the person sign in by a browser. Resolves with what proves them; undefined
 * where they proved nothing.
 */
export async function askedFor(context: KeyboardAuthContext, { devices, sessions, signal }: Asking): Promise<string | undefined> {
  const over = new AbortController()
  context.once('abort', () => over.abort())
  const gone = AbortSignal.any([signal, over.signal])
  if (devices === undefined) return answerOf(context, 'Access key: ')
  if (!(context.submethods ?? []).includes(DEVICE)) {
    const key = await answerOf(context, 'Access key (none: sign in with a browser): ')
    if (key !== '') return key
  }
  if (gone.aborted) return undefined
  using _ = sessions.awaiting()
  try {
    return await devices.signIn(
      sessions.client,
      ({ url, code }) => {
        // A question without a prompt is shown and answered at once, so that the next thing a client hears is that it is in.
        context.prompt(
          [],
          TITLE,
          `To sign in, open ${safeText(url)}\nand confirm the code ${safeText(code)}; waiting ...\n`,
          () => undefined,
        )
      },
      gone,
    )
  } catch (error) {
    if (gone.aborted) return undefined
    if (!(error instanceof ApplianceError)) throw error
    await shown(context, `${error.code}: ${safeText(error.message)}`, gone)
    return undefined
  }
}

/** Empty where the client would not say. */
function answerOf(context: KeyboardAuthContext, prompt: string): Promise<string> {
  return new Promise((resolve) => {
    context.once('abort', () => resolve(''))
    context.prompt([{ prompt, echo: false }], TITLE, (responses) => resolve(Array.isArray(responses) ? (responses[0] ?? '') : ''))
  })
}

function shown(context: KeyboardAuthContext, text: string, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    gone.addEventListener('abort', () => resolve(), { once: true })
    context.prompt([], TITLE, `${text}\n`, () => resolve())
  })
}
