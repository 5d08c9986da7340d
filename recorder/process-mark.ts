import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** Which process on which boot of which machine: enough to tell whether the owner of a lock still lives, also when its pid was given out again. */
export interface ProcessMark {
  readonly pid: number
  /** Start time in clock ticks since boot (proc(5), /proc/[pid]/stat field 22); empty where there is no /proc. */
  readonly started: string
  readonly boot: string
  readonly host: string
}

export const OWN_MARK: ProcessMark = { pid: process.pid, started: startOf(process.pid) ?? '', boot: bootId(), host: hostname() }

/**
 * `alive` and `dead` are certain; `foreign` is a process on another machine (or in another container) of which nothing can be
 * seen from here.
 */
export function lifeOf(mark: ProcessMark): 'alive' | 'dead' | 'foreign' {
  if (mark.host !== OWN_MARK.host) return 'foreign'
  if (mark.boot !== OWN_MARK.boot) return 'dead'
  if (mark.started === '') return signalReaches(mark.pid) ? 'alive' : 'dead'
  return startOf(mark.pid) === mark.started ? 'alive' : 'dead'
}

/** The mark in a lock file's text; undefined where it is not one (torn by a crash while it was written). */
export function parseMark(text: string): ProcessMark | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, started, boot, host } = value as Record<string, unknown>
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof boot !== 'string' || typeof host !== 'string')
      return undefined
    return { pid, started, boot, host }
  } catch {
    return undefined
  }
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command's name stands in brackets and may hold spaces and brackets itself: fields count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, start] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' ? undefined : start
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
