import assert from 'node:assert/strict'
import { Gate } from '../../gateway/gate.ts'
import type { ByteWire, Output, Side } from '../../gateway/message.ts'
import type { Act } from '../../schemas/verdict.ts'
import type { FakeParts } from './fakes.ts'

type Step =
  | { readonly step: 'says'; readonly who: Side; readonly bytes: Uint8Array }
  | { readonly step: 'gets'; readonly who: Side; readonly bytes: Uint8Array | ((bytes: Buffer) => void) }
  | { readonly step: 'taped'; readonly kinds: readonly string[] }
  | { readonly step: 'then'; readonly does: () => void | Promise<void> }

/** The client sends this, in one read. */
export const client = (...bytes: readonly Uint8Array[]): Step => ({ step: 'says', who: 'client', bytes: Buffer.concat(bytes) })
/** The server sends this, in one read. */
export const server = (...bytes: readonly Uint8Array[]): Step => ({ step: 'says', who: 'server', bytes: Buffer.concat(bytes) })
/** Exactly this, and nothing else, has been written to the server since the last such line. */
export const toServer = (...bytes: readonly Uint8Array[]): Step => ({ step: 'gets', who: 'server', bytes: Buffer.concat(bytes) })
export const toClient = (...bytes: readonly Uint8Array[]): Step => ({ step: 'gets', who: 'client', bytes: Buffer.concat(bytes) })
/** As `toClient`, for what is easier described than written down. */
export const clientGets = (check: (bytes: Buffer) => void): Step => ({ step: 'gets', who: 'client', bytes: check })
export const serverGets = (check: (bytes: Buffer) => void): Step => ({ step: 'gets', who: 'server', bytes: check })
/** Exactly these entries were recorded since the last such line: `query`, `query:block`, `reply:mask`. */
export const taped = (...kinds: readonly string[]): Step => ({ step: 'taped', kinds })
export const meanwhile = (does: () => void | Promise<void>): Step => ({ step: 'then', does })

/**
 * Plays a conversation through a real gate, line by line, so that it reads like a transcript. What an end says is passed to
 * the end before the next line; a line whose message is held is left running, and awaited at the end of the play.
 * Rejects with what the wire or the gate threw.
 */
export async function play(wire: ByteWire, parts: FakeParts, steps: readonly Step[]): Promise<void> {
  const gate = new Gate(parts, wire)
  const written: Record<Side, Uint8Array[]> = { client: [], server: [] }
  let tapedCount = 0
  const running: Promise<void>[] = []
  for (const [index, step] of steps.entries()) {
    const line = `line ${index + 1}`
    switch (step.step) {
      case 'says': {
        const messages = wire.receive(step.who, step.bytes)
        const pass = (async () => {
          for await (const outputs of gate.pass(messages, new AbortController().signal)) deliver(written, outputs)
        })()
        running.push(pass)
        await Promise.race([pass, idle()])
        break
      }
      case 'gets': {
        const bytes = Buffer.concat(written[step.who].splice(0))
        if (typeof step.bytes === 'function') step.bytes(bytes)
        else assert.equal(bytes.toString('latin1'), Buffer.from(step.bytes).toString('latin1'), `${line}: to the ${step.who}`)
        break
      }
      case 'taped': {
        const { entries } = parts.recorder
        const kinds = entries.slice(tapedCount).map(({ kind, verdict }) => named(kind, verdict?.act))
        tapedCount = entries.length
        assert.deepEqual(kinds, step.kinds, `${line}: on the tape`)
        break
      }
      case 'then':
        await step.does()
        await idle()
        break
      default:
        step satisfies never
    }
  }
  await Promise.all(running)
}

function named(kind: string, act: Act | undefined): string {
  return act === undefined || act === 'allow' ? kind : `${kind}:${act}`
}

function deliver(written: Record<Side, Uint8Array[]>, outputs: readonly Output[]): void {
  for (const { to, bytes } of outputs) written[to].push(bytes)
}

/** Long enough for everything that waits for nothing but itself. */
export async function idle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await undefined
}
