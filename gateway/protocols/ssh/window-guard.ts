import { because, PROTOCOL_ERROR } from './disconnect.ts'

/**
 * The library (ssh2 1.17, its issue 1505) takes data as long as a channel's window is not exactly used up: a peer that ignores
 * windows could fill our memory. Every peer that sends more than it may is cut off here.
 */
export function guardWindows(connection: object): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  const manager: unknown = Reflect.get(connection, '_chanMgr')
  if (!isProtocol(protocol) || !isManager(manager)) throw new TypeError('this version of ssh2 keeps its windows elsewhere')
  const handlers = protocol._handlers
  for (const name of ['CHANNEL_DATA', 'CHANNEL_EXTENDED_DATA'] as const) {
    const handle = handlers[name]
    handlers[name] = (self, recipient, data, ...rest) => {
      const window = windowOf(manager.get(recipient))
      if (window !== undefined && data.length > window) {
        because(connection, 'more was sent than the window of the channel has room for')
        protocol.disconnect(PROTOCOL_ERROR)
        throw new Error('the peer sent more than the window of its channel')
      }
      handle(self, recipient, data, ...rest)
    }
  }
}

type Handler = (self: unknown, recipient: number, data: Uint8Array, ...rest: unknown[]) => void

interface Protocol {
  readonly _handlers: Record<'CHANNEL_DATA' | 'CHANNEL_EXTENDED_DATA', Handler>
  disconnect(reason: number): void
}

interface Manager {
  get(id: number): unknown
}

function isProtocol(value: unknown): value is Protocol {
  if (typeof value !== 'object' || value === null || !('_handlers' in value) || !('disconnect' in value)) return false
  const { _handlers: handlers, disconnect } = value
  return typeof handlers === 'object' && handlers !== null && 'CHANNEL_DATA' in handlers && typeof disconnect === 'function'
}

function isManager(value: unknown): value is Manager {
  return typeof value === 'object' && value !== null && 'get' in value && typeof value.get === 'function'
}

/** Of a channel, or of the session that has one; undefined where nothing is open yet. */
function windowOf(channel: unknown): number | undefined {
  if (typeof channel !== 'object' || channel === null) return undefined
  const inner: unknown = Reflect.get(channel, '_channel') ?? channel
  const incoming: unknown = Reflect.get(Object(inner), 'incoming')
  const window: unknown = Reflect.get(Object(incoming), 'window')
  return typeof window === 'number' ? window : undefined
}
