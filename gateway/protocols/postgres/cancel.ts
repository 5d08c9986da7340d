import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { CANCEL_CODE, writeRequest } from './startup-packet.ts'
import { pull, push } from './startup-pull.ts'
import { dial } from './upstream.ts'

/** The server closes as soon as it has passed the signal on; a target that does not is not worth waiting for. */
const CANCEL_TIMEOUT_MS = 5_000

/**
 * Asks the target to cancel what the session of `key` (process id and secret, see Upstream) runs, on a connection of its own with
 * TLS as in the session. Resolves when the server has taken it (it closes the connection; it never says whether anything was
 * cancelled) or has had its time. Rejects TARGET_UNREACHABLE or TARGET_REFUSED, or with the signal's reason.
 */
export async function cancelUpstream(
  target: Target,
  credential: Credential,
  key: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (key.length === 0) return
  const { socket } = await dial(target, credential, signal)
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), CANCEL_TIMEOUT_MS)
  try {
    await push(socket, writeRequest(CANCEL_CODE, key))
    await pull(socket, 1, AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
