import type { Worker } from 'node:cluster'

interface Handle {
  close(): void
}

/**
 * Closes the connection that was on its way to a worker when that died. The primary accepts for all workers, hands each one connection of a listener at a
 * time, and closes its own end once that is taken; where the worker dies first, Node 24 does neither: the client would wait for ever for
 * somebody to speak, and the primary keep the socket.
 */
export function closeHandedOver(worker: Worker): void {
  /** The last one of each listener; those that were taken are closed already, and closing them again does nothing. */
  const handed = new Map<unknown, Handle>()
  const { process: child } = worker
  const { send } = child
  child.send = (...args: unknown[]): boolean => {
    const [message, handle] = args
    if (isConnection(message) && isHandle(handle)) handed.set(message.key, handle)
    return Reflect.apply(send, child, args)
  }
  worker.once('exit', () => {
    for (const handle of handed.values()) handle.close()
  })
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'
}

/** Cluster's own message, by Node 24; where workers share the listener itself, that is what is handed over, and stays open. */
function isConnection(message: unknown): message is { readonly key: unknown } {
  return typeof message === 'object' && message !== null && 'key' in message && 'act' in message && message.act === 'newconn'
}
