/** A body that is held whole and has more finds room first. */
export const LARGE_BYTES = 2 * 1024 * 1024
/** Of one subject at once, whatever its sessions and connections: with 16 MiB at the most for each, and what masks add to it. */
const MAX_LARGE = 8

interface Line {
  inside: number
  readonly waiting: Set<() => void>
}

/** Of those who hold some, in this process. */
const lines = new Map<string, Line>()

/**
 * Resolves when one more may be held for this subject; call what it resolves to when it is not held any more. Rejects with the signal's reason. A request of a few
 * kilobytes unpacks to megabytes, and an answer stays for as long as its client likes: those of a hundred at once would be all the memory there is.
 */
export async function roomForLarge(subject: string, signal: AbortSignal): Promise<() => void> {
  signal.throwIfAborted()
  const line = lines.get(subject) ?? { inside: 0, waiting: new Set() }
  lines.set(subject, line)
  if (line.inside < MAX_LARGE) line.inside++
  else await turn(line, signal)
  let held = true
  return () => {
    if (held) leave(subject, line)
    held = false
  }
}

/** Whoever leaves gives its place to the first that waits. */
function leave(subject: string, line: Line): void {
  const [first] = line.waiting
  if (first !== undefined) first()
  else {
    line.inside--
    if (line.inside === 0) lines.delete(subject)
  }
}

function turn(line: Line, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      line.waiting.delete(take)
      signal.removeEventListener('abort', stop)
    }
    const take = (): void => {
      done()
      resolve()
    }
    const stop = (): void => {
      done()
      reject(signal.reason)
    }
    line.waiting.add(take)
    signal.addEventListener('abort', stop, { once: true })
  })
}
