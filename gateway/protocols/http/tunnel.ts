import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Gate } from '../../gate.ts'
import { Chatter, Intake } from '../../intake.ts'
import { Lanes } from '../../lane.ts'
import type { Output, Side } from '../../message.ts'
import { SETTLE_MS, Settling } from '../../settling.ts'
import type { LastWords, TunnelCodec, TunnelMessage } from './tunnel-message.ts'

/** Once one end has said all it had, the other has this long to do so, too. */
const HALF_CLOSED_MS = 10_000

export interface TunnelParts {
  /** What each has sent behind its head is unshifted. */
  readonly ends: Readonly<Record<Side, Duplex>>
  readonly codec: TunnelCodec
  readonly gate: Gate
  readonly channel: number
  /** Aborted when the session is over. */
  readonly session: AbortSignal
}

/**
 * Both directions of a connection that is no longer HTTP, each message through the gate, until both ends are closed. An end that
 * breaks the rules, and a rule that is broken, close both; the client is told. Rejects only with what cannot be recorded, and on our own bugs.
 */
export async function tunnel({ ends, codec, gate, channel, session }: TunnelParts): Promise<void> {
  const stop = new AbortController()
  const failed: unknown[] = []
  const fail = (error: unknown): void => {
    failed.push(error)
    stop.abort()
  }
  const over = AbortSignal.any([session, stop.signal])
  const chatter = new Chatter()
  const intakes = { client: new Intake(ends.client, chatter), server: new Intake(ends.server, chatter) }
  const asker = AbortSignal.any([over, intakes.client.left])
  const deliver = (outputs: readonly Output[]): Promise<void> | undefined => {
    for (const { to, bytes, own } of outputs) {
      if (bytes.length > 0 && ends[to].writable) ends[to].write(bytes)
      if (own !== undefined) stop.abort()
    }
    const full = outputs.map(({ to }) => ends[to]).find(({ writableNeedDrain, destroyed }) => writableNeedDrain && !destroyed)
    return full === undefined ? undefined : drained(full, over)
  }
  const clientLanes = new Lanes({ gate, deliver, asker, stop: over, onFail: fail })
  const serverLanes = new Lanes({ gate, deliver, asker: over, stop: over, onFail: fail })
  const pass = async (from: Side): Promise<void> => {
    const lanes = from === 'client' ? clientLanes : serverLanes
    const settling = new Settling(() => {
      lanes.push(codec.rest(from, SETTLE_MS))
      return !lanes.empty || codec.holds?.(from) === true
    })
    // Only once the messages are there: a chunk may be read in a thread, for longer than the timer runs. Of several streams each has its own time.
    const came = (messages: readonly TunnelMessage[]): Promise<void> | undefined => {
      settling.came(true)
      return admit(lanes, messages)
    }
    try {
      await intakes[from].flow({
        take(chunk) {
          const messages = codec.receive(from, chunk)
          return messages instanceof Promise ? messages.then(came) : came(messages)
        },
        done: () => false,
      })
    } catch (error) {
      // A connection that breaks ends like one that closes; what cannot be read ends both.
      if (error instanceof ApplianceError) throw error
    } finally {
      settling.stop()
    }
    await lanes.drained()
    lanes.push(codec.rest(from))
    await lanes.drained()
    // Where both are to be closed the last words are still to be said.
    if (over.aborted) return
    const to = ends[from === 'client' ? 'server' : 'client']
    if (to.writable) to.end()
    await finished(to, { readable: false, signal: over }).catch(() => undefined)
  }
  const close = (): void => {
    intakes.client.close()
    intakes.server.close()
  }
  over.addEventListener('abort', close, { once: true })
  if (over.aborted) close()
  try {
    const passing = [pass('client'), pass('server')] as const
    // Whoever is left when one has ended is not waited for without end.
    await Promise.race(passing)
    const late = new AbortController()
    await Promise.race([Promise.all(passing), wait(HALF_CLOSED_MS, undefined, { signal: AbortSignal.any([late.signal, over]) })])
      .catch((error: unknown) => {
        if (!over.aborted) throw error
      })
      .finally(() => late.abort())
    for (const one of passing) one.catch(() => undefined)
  } catch (error) {
    fail(error)
  } finally {
    over.removeEventListener('abort', close)
    close()
    stop.abort()
  }
  await clientLanes.drained()
  // What the target has already.
  const owed = codec.rest('client').filter(({ waits }) => !waits)
  if (owed.length > 0) await gate.take(owed).catch(fail)
  await farewell(failed[0], { ends, codec, gate, channel, session }).finally(() => codec.close?.())
}

function admit(lanes: Lanes, messages: readonly TunnelMessage[]): Promise<void> | undefined {
  lanes.push(messages)
  return lanes.full ? lanes.room() : undefined
}

async function drained(end: Duplex, over: AbortSignal): Promise<void> {
  const closed = once(end, 'close', { signal: over }).catch(() => undefined)
  await Promise.race([once(end, 'drain', { signal: over }).catch(() => undefined), closed])
}

async function farewell(error: unknown, { ends, codec, gate, channel, session }: TunnelParts): Promise<void> {
  const words = error instanceof ApplianceError ? { message: error.message, rules: [] } : wordsOf(session)
  const bytes = words === undefined ? undefined : codec.farewell(words)
  if (bytes !== undefined && ends.client.writable) {
    const said = await gate
      .say([{ to: 'client', bytes, own: { kind: 'cut', channel, facts: {} } }])
      .catch((): readonly Output[] => [{ to: 'client', bytes }])
    for (const output of said) ends.client.write(output.bytes)
  }
  ends.server.destroy()
  // What was written is still to arrive; a client that takes nothing is given up by its socket's own timeout.
  ends.client.end()
  await finished(ends.client, { readable: false }).catch(() => undefined)
  ends.client.destroy()
  if (error !== undefined && !(error instanceof ApplianceError)) throw error
}

function wordsOf(session: AbortSignal): LastWords | undefined {
  if (!session.aborted) return undefined
  const { reason } = session
  return typeof reason === 'object' && reason !== null && 'message' in reason && 'rules' in reason
    ? { message: String(reason.message), rules: Array.isArray(reason.rules) ? reason.rules : [] }
    : { message: 'the session is over', rules: [] }
}
