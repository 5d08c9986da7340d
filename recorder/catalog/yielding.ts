import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename } from 'node:path'

/** A third of what others get where there is not enough for all: the catalog falls behind, and says so, before queries wait for it. */
const NICE = 5

/** Lets the other threads of this process go first, where the system tells threads apart (Linux); elsewhere nothing changes. */
export function yieldToOthers(): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICE)
  } catch {
    // No such folder, or not ours to say: everybody is as important as before.
  }
}
