import { createHash } from 'node:crypto'
import { OWN_MARK, type ProcessMark, parseMark } from '../process-mark.ts'

/** Of the digest of a host's or a boot's name, in base64url: enough that no two of an installation share one. */
const DIGEST_CHARS = 10
const TEXT = /^(?<pid>\d+):(?<started>\d*):\d+:(?<host>[\w-]{10}):(?<boot>[\w-]{10})$/

const HOST = digestOf(OWN_MARK.host)
const BOOT = digestOf(OWN_MARK.boot)

/**
 * What a lock's link says of who holds it. Shorter than 60 bytes: a file system keeps a longer text in a block beside the inode, and to
 * allocate, write and free one is then most of what an append costs. A thread of a process may die alone, so its number is in it, which no
 * later one gets.
 */
export function lockText({ pid, started, host, boot }: ProcessMark, thread: number): string {
  return [pid, started, thread, digestOf(host), digestOf(boot)].join(':')
}

/** Whose lock it is: of another host or boot no more than that it is another. undefined where the text is none. Earlier versions wrote JSON. */
export function ownerOf(text: string): ProcessMark | undefined {
  if (text.startsWith('{')) return parseMark(text)
  const { pid, started = '', host = '', boot = '' } = TEXT.exec(text)?.groups ?? {}
  if (pid === undefined) return undefined
  return { pid: Number(pid), started, host: host === HOST ? OWN_MARK.host : host, boot: boot === BOOT ? OWN_MARK.boot : boot }
}

function digestOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, DIGEST_CHARS)
}
