import type { KeyboardAuthContext } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import { safeText } from '../../../schemas/safe-text.ts'
import type { DeviceLogins } from '../../identity/device-logins.ts'
import type { DeviceCode } from '../../identity/oidc.ts'
import type { Sessions } from '../../protocol.ts'

const TITLE = 'Sallyport'
/** What a client names as a submethod (RFC 4256, 3.1) whose person will not be asked for a key: `ssh -o KbdInteractiveDevices=device`. */
const DEVICE = 'device'
/** How long a last word waits for the client to say that it was shown; a client answers at once where there is nothing to type. */
const SHOWN_MS = 3_000

export interface Asking {
  readonly devices: DeviceLogins | undefined
  readonly sessions: Pick<Sessions, 'awaiting' | 'client'>
  /** Aborted when the connection is closed, or is to be. */
  readonly signal: AbortSignal
}

export interface Answer {
  readonly secret: string
  /** Signed in elsewhere, by a code that was confirmed there. */
  readonly byDevice: boolean
}

/**
 * Asks (keyboard-interactive, RFC 4256) for an access key, or has the person sign in by a browser. Resolves with what proves them; undefined
 * where they proved nothing.
 */
export async function askedFor(context: KeyboardAuthContext, asking: Asking): Promise<Answer | undefined> {
  const { devices, signal } = asking
  const over = new AbortController()
  context.once('abort', () => over.abort())
  const gone = AbortSignal.any([signal, over.signal])
  if (devices === undefined) return { secret: await answerOf(context, 'Access key: '), byDevice: false }
  if (!(context.submethods ?? []).includes(DEVICE)) {
    const key = await answerOf(context, 'Access key (none: sign in with a browser): ')
    if (key !== '') return { secret: key, byDevice: false }
  }
  if (gone.aborted) return undefined
  try {
    return { secret: await signedIn(context, devices, asking, gone), byDevice: true }
  } catch (error) {
    if (gone.aborted) return undefined
    if (!(error instanceof ApplianceError)) throw error
    await shown(context, `${error.code}: ${safeText(error.message)}`, gone)
    return undefined
  }
}

/** Only while somebody has a code to confirm is a connection more than one that does not say who it is: codes are few, connections are not. */
async function signedIn(
  context: KeyboardAuthContext,
  devices: DeviceLogins,
  { sessions }: Asking,
  gone: AbortSignal,
): Promise<string> {
  using waiting = new DisposableStack()
  const onCode = ({ url, code }: DeviceCode): void => {
    waiting.use(sessions.awaiting())
    // The code is typed and no part of the address, so that an address somebody is sent signs nobody in. A question without a prompt is shown
    // and answered at once, and the next thing a client hears is that it is in.
    const text = `To sign in, open ${safeText(url)}\nand enter the code ${safeText(code)}; waiting ...\n`
    context.prompt([], TITLE, text, () => undefined)
  }
  return await devices.signIn(sessions.client, onCode, gone)
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
    const done = (): void => {
      clearTimeout(late)
      resolve()
    }
    const late = setTimeout(done, SHOWN_MS)
    gone.addEventListener('abort', done, { once: true })
    context.prompt([], TITLE, `${text}\n`, done)
  })
}
