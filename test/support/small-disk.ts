import { spawnSync } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

/** Soon enough that nobody finds room, seldom enough that the processor is left to whoever looks for it. */
const REFILL_MS = 2

/** A folder on a disk of this size (as `mount` has it), gone with the test; undefined, and said, where this user cannot mount one. */
export async function smallDisk(t: TestContext, size: string): Promise<string | undefined> {
  const disk = await mkdtemp(join(tmpdir(), 'sallyport-disk-'))
  t.after(async () => {
    spawnSync('umount', ['-l', disk])
    await rm(disk, { recursive: true, force: true })
  })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).status === 0) return disk
  t.diagnostic('NOT RUN: a small disk cannot be mounted here; test/recorder fills one by injected faults')
  process.stderr.write('NOT RUN: full disk: this user cannot mount one\n')
  return undefined
}

/** Keeps the disk full until told to stop: some file systems find room again after they said there is none. */
export function keepFull(path: string): { stop(): Promise<void> } {
  let stopped = false
  const zeros = Buffer.alloc(64 * 1024)
  const filling = (async () => {
    const file = await open(path, 'w')
    while (!stopped) {
      try {
        await file.write(zeros)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        await delay(REFILL_MS)
      }
    }
    await file.close()
  })()
  return {
    async stop() {
      stopped = true
      await filling
      await rm(path)
    },
  }
}
