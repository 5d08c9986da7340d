import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** A subject that takes longer to end than this is killed. */
const END_MS = 10_000

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export function endingOf(child: ChildProcess): string | undefined {
  if (child.exitCode === null && child.signalCode === null) return undefined
  return `its process ended with ${child.exitCode === null ? child.signalCode : `code ${child.exitCode}`}`
}

/** Whoever does not come to listen is ended here, with what it had. */
export async function listening(port: number, child: ChildProcess, folder: string): Promise<void> {
  try {
    await opened(port, child)
  } catch (error) {
    await ended(child, folder)
    throw error
  }
}

async function opened(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`the subject ended with ${child.exitCode} before it listened`)
    const socket = connect({ host: '127.0.0.1', port })
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    )
    socket.destroy()
    if (open) return
    await setTimeout(100)
  }
  throw new Error(`nothing listens on port ${port}`)
}

export async function ended(child: ChildProcess, folder: string): Promise<void> {
  if (endingOf(child) === undefined) {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    const late = globalThis.setTimeout(() => child.kill('SIGKILL'), END_MS)
    await exit
    clearTimeout(late)
  }
  await rm(folder, { recursive: true, force: true })
}
