import type { Duplex } from 'node:stream'
import { ApplianceError } from '../schemas/errors.ts'
import type { Refusal } from '../schemas/verdict.ts'
import type { Gate } from './gate.ts'
import { Chatter, Intake } from './intake.ts'
import { Lanes } from './lane.ts'
import type { ByteWire, Output, Side } from './message.ts'

/** An end that takes no bytes for this long is given up: a session must not pin its upstream for ever. */
export const MAX_STALL_MS = 15 * 60_000

/** How long the last words may take to be recorded and written before the sockets are destroyed. */
const FAREWELL_MS = 5_000
/** Who was shut out is gone within 5 s of it, read or not: a second until it is noticed, this, and the two the listener gives a socket. */
const WITHDRAWN_FAREWELL_MS = 1_500

/** How long whoever was told the last words may take to hang up. */
const HANG_UP_MS = 2_000

export const TARGET_BROKE: Refusal = { why: 'failed', message: 'the connection to the target broke', rules: [] }

export type Ends = Readonly<Record<Side, Duplex>>

/**
 * Runs a byte protocol between two sockets until both directions end, `signal` aborts (its reason: a Refusal) or anything
 * fails; the client is then told why in its own protocol. Destroys both sockets. Resolves with why it ended; never rejects
 * for what peers do.
 */
export async function relay(ends: Ends, wire: ByteWire, gate: Gate, signal: AbortSignal): Promise<string> {
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  // Asked for every read, and a signal made of others is slow to answer.
  let stopped = stop.aborted
  gate.order.start()
  // Behind the last words nothing is written.
  let said = false
  const deliver = (outputs: readonly Output[]): Promise<void> | undefined =>
    said ? undefined : send(ends, gate.order.take(outputs), stop)

  const chatter = new Chatter()
  const intakes = { client: new Intake(ends.client, chatter), server: new Intake(ends.server, chatter) }
  // A server that ended answers nobody any more, so what is held for it is withdrawn too.
  const asker = AbortSignal.any([stop, intakes.client.left, intakes.server.left])
  const parts = { gate, deliver, asker, stop, onFail: (error: unknown): void => failed.abort(error) }
  const lanes = { client: new Lanes(parts), server: new Lanes(parts) }
  let answered = (): void => undefined
  const nextAnswer = (): Promise<void> =>
    new Promise((resolve) => {
      answered = resolve
    })
  const settled = async (from: Side): Promise<void> => {
    if (lanes[from].full) await lanes[from].room()
    if (from === 'client') while (wire.crowded === true && !stop.aborted) await nextAnswer()
  }
  const pump = async (from: Side, to: Side): Promise<void> => {
    const own = lanes[from]
    await intakes[from].flow({
      take(chunk) {
        if (stopped) return undefined
        own.push(wire.receive(from, chunk))
        if (from === 'server') answered()
        return own.full || (from === 'client' && wire.crowded === true) ? settled(from) : undefined
      },
      // Written means: by the operating system. Until then a slow end keeps the bytes themselves.
      done: () => own.empty && ends.client.writableLength === 0 && ends.server.writableLength === 0,
    })
    await own.drained()
    if (!stop.aborted) await within(MAX_STALL_MS, () => ended(ends[to], stop))
  }
  const aborted = new Promise<never>((_, reject) => {
    const over = (): void => {
      stopped = true
      reject(stop.reason)
    }
    stop.addEventListener('abort', over, { once: true })
    if (stop.aborted) over()
  })
  try {
    await Promise.race([bothWays(pump), aborted])
    return 'closed'
  } catch (reason) {
    failed.abort(reason)
    // A client that vanished hears nothing more; one whose target did is told, behind all that was released to it.
    const broken = reason !== undefined && reason === intakes.server.error
    const refusal = broken ? TARGET_BROKE : refusalOf(reason)
    if (refusal === undefined) return `peer: ${reason instanceof Error ? reason.message : String(reason)}`
    const allMs = farewellMs(refusal)
    await within(allMs, async () => {
      // What is recorded as released is still written, so that the tape and the client agree; nothing new is let in. What waits for the store
      // itself is not waited for: the client would hear nothing at all.
      await within(allMs / 3, async () => void (await Promise.all([lanes.client.drained(), lanes.server.drained()])))
      const outputs = await gate.farewell(refusal, allMs / 3)
      said = true
      for (const { to, bytes } of gate.order.take(outputs)) ends[to].write(bytes)
      await ended(ends.client, new AbortController().signal)
      intakes.client.close()
      await hungUp(ends.client)
    })
    return `${refusal.why}: ${refusal.message}`
  } finally {
    for (const side of ['client', 'server'] as const) {
      intakes[side].close()
      ends[side].destroy()
    }
  }
}

/** A server that ends ends the session; a client that ends may still be owed answers. */
async function bothWays(pump: (from: Side, to: Side) => Promise<void>): Promise<void> {
  const client = pump('client', 'server')
  await Promise.race([pump('server', 'client'), client.then(() => new Promise<never>(() => {}))])
}

/** Resolves once everything written is with the operating system and the end has been told that no more comes, or is gone. */
function ended(end: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (end.destroyed || signal.aborted) return resolve()
    end.once('close', resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    end.end(resolve)
  })
}

/**
 * Resolves when the far end has hung up too, or has had time to. What it still sends is read and dropped meanwhile: closing over unread bytes
 * resets the connection, and a reset overtakes what was written (RFC 1122, 4.2.2.13).
 */
function hungUp(end: Duplex): Promise<void> {
  return within(HANG_UP_MS, () => {
    end.on('data', () => undefined).resume()
    return new Promise((resolve) => {
      if (end.readableEnded || end.destroyed) return resolve()
      for (const event of ['end', 'close']) end.once(event, resolve)
    })
  })
}

/**
 * Writes everything in one go per socket. The writes themselves are synchronous: order is the caller's. Where an end is slow,
 * what is returned resolves when it has taken enough; undefined where nobody needs to wait.
 */
export function send(ends: Ends, outputs: readonly Output[], signal: AbortSignal): Promise<void> | undefined {
  if (outputs.length === 1 && outputs[0] !== undefined) {
    ends[outputs[0].to].write(outputs[0].bytes)
  } else {
    ends.client.cork()
    ends.server.cork()
    for (const { to, bytes } of outputs) ends[to].write(bytes)
    ends.client.uncork()
    ends.server.uncork()
  }
  if (!ends.client.writableNeedDrain && !ends.server.writableNeedDrain) return undefined
  const slow = [ends.client, ends.server].filter((end) => end.writableNeedDrain)
  return Promise.all(slow.map((end) => drained(end, signal))).then(() => undefined)
}

function drained(end: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      done()
      reject(
        new ApplianceError('PROTOCOL_TIMEOUT', `an end took no bytes for ${MAX_STALL_MS / 60_000} minutes; the session ends`),
      )
    }, MAX_STALL_MS)
    const done = (): void => {
      clearTimeout(timer)
      end.off('drain', done)
      end.off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    end.on('drain', done)
    end.on('close', done)
    signal.addEventListener('abort', done)
    if (signal.aborted || end.destroyed) done()
  })
}

/** How long the end of a session may take, from its reason to the last of its words. */
export function farewellMs(refusal: Refusal | undefined): number {
  return refusal?.why === 'withdrawn' ? WITHDRAWN_FAREWELL_MS : FAREWELL_MS
}

/** What the client can be told of an ending; undefined where a peer simply vanished. */
export function refusalOf(reason: unknown): Refusal | undefined {
  if (isRefusal(reason)) return reason
  if (reason instanceof ApplianceError)
    return { why: 'failed', message: `${reason.code}: ${reason.message}`, rules: [], code: reason.code }
  return undefined
}

function isRefusal(reason: unknown): reason is Refusal {
  return typeof reason === 'object' && reason !== null && 'why' in reason && 'message' in reason && 'rules' in reason
}

export async function within(ms: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  try {
    await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}
