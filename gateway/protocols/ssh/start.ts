import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { ChannelRequest, Exit, Terminal } from './output.ts'

/**
 * Modes of a terminal (RFC 4254, 8): UTF-8 input and 38400 baud both ways, as ssh sends them; the library loses those of the client, and
 * what is left out is for the target to choose.
 */
const MODES = Buffer.from([42, 0, 0, 0, 1, 128, 0, 0, 0x96, 0, 129, 0, 0, 0x96, 0, 0])

/** Opens a channel at the target and asks for what the client asked for. Rejects TARGET_REFUSED. */
export function start(client: Client, { what, terminal, env, agent }: ChannelRequest): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel): void => {
      if (error === undefined) {
        heedExit(channel)
        resolve(channel)
      } else
        reject(
          new ApplianceError('TARGET_REFUSED', `the target refused to open a channel for this (${what.kind})`, { cause: error }),
        )
    }
    // The typings have it for a whole connection only.
    const forwarded = { agentForward: agent }
    try {
      switch (what.kind) {
        case 'exec':
          client.exec(what.command, { env, ...forwarded, ...(terminal === undefined ? {} : { pty: ptyOf(terminal) }) }, done)
          return
        case 'shell':
          client.shell(terminal === undefined ? false : ptyOf(terminal), { env, ...forwarded }, done)
          return
        case 'subsystem':
          client.subsys(what.name, done)
          return
        default:
          what satisfies never
      }
    } catch (error) {
      reject(new ApplianceError('TARGET_UNREACHABLE', 'the connection to the target is gone', { cause: error }))
    }
  })
}

function ptyOf({ term, cols, rows, width, height }: Terminal): PseudoTtyOptions {
  // The typings know modes by name only; the library also takes them as the bytes they are, and for no name would say one that can do more.
  return { term: term === '' ? 'dumb' : term, cols, rows, width, height, ...{ modes: MODES } } as PseudoTtyOptions
}

const exits = new WeakMap<ClientChannel, Exit>()

/** Of a channel that has closed; undefined where the target did not say how it ended. */
export function exitOf(channel: ClientChannel): Exit | undefined {
  return exits.get(channel)
}

/** From the very moment it is open: one read may bring all of a short program, its end with its beginning. */
function heedExit(channel: ClientChannel): void {
  channel.once('exit', (...[status, signal, core, message]: [number | null, string?, boolean?, string?]) => {
    const killed = { signal: (signal ?? '').replace(/^SIG/, ''), core: core === true, message: message ?? '' }
    exits.set(channel, status === null ? killed : { status })
  })
}
