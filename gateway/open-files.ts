import { readFileSync } from 'node:fs'
import type { Limits } from '../schemas/config-limits.ts'

/** A client's socket and its target's. */
const FILES_PER_SESSION = 2
/** Files of spool, store, catalog and log, and what people have open at console and monitoring. */
const FILES_BESIDE = 200

/**
 * What to say at the start where a process may open fewer files than `limits` lets it need: the system closes whoever comes above that, and
 * tells nobody. `may`: undefined where there is no such limit, or none that can be read.
 */
export function openFilesWarning(
  { sessions, connectionsUnproved }: Pick<Required<Limits>, 'sessions' | 'connectionsUnproved'>,
  may: number | undefined = openFilesLimit(),
): string | undefined {
  const needed = sessions * FILES_PER_SESSION + connectionsUnproved + FILES_BESIDE
  if (may === undefined || may >= needed) return undefined
  return `limits.sessions ${sessions} needs up to ${needed} open files in each process, which may have ${may}: above that connections are closed without a word; raise the hard limit (ulimit -Hn, LimitNOFILE=, --ulimit nofile=) or lower limits.sessions`
}

/** proc_pid_limits(5). Node has raised the soft limit to the hard one at its start. */
function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}
