const PATIENCE_MS = 120_000

export type LogLine = Readonly<Record<string, unknown>>

/** The gateway's log as it is written, kept whole; tests wait for lines instead of sleeping. */
export class LogLines {
  readonly lines: LogLine[] = []
  #text = ''
  #partial = ''
  readonly #waiting = new Set<() => void>()

  get text(): string {
    return this.#text
  }

  /** Whatever came off stderr, cut anywhere. */
  write(text: string): void {
    this.#text += text
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) {
      const parsed = parse(line)
      if (parsed !== undefined) this.lines.push(parsed)
    }
    for (const wake of this.#waiting) wake()
  }

  /** The first line that fits, past ones included. */
  async until(fits: (line: LogLine) => boolean, timeoutMs = PATIENCE_MS): Promise<LogLine> {
    const deadline = AbortSignal.timeout(timeoutMs)
    for (let next = 0; ; ) {
      for (; next < this.lines.length; next += 1) {
        const line = this.lines[next]
        if (line !== undefined && fits(line)) return line
      }
      await this.#more(deadline)
    }
  }

  /** The session of the client that came from this port, once its tape is sealed. */
  async sealed(clientPort: number): Promise<string> {
    const opened = await this.until((line) => line['msg'] === 'session opened' && line['client'] === `127.0.0.1:${clientPort}`)
    const { session } = opened
    await this.until(
      (line) =>
        line['session'] === session && (line['msg'] === 'session sealed' || String(line['msg']).startsWith('recording failed')),
    )
    return String(session)
  }

  #more(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiting.delete(done)
        deadline.removeEventListener('abort', late)
        resolve()
      }
      const late = (): void => {
        this.#waiting.delete(done)
        reject(new Error(`the gateway's log has no such line:\n${this.#text.slice(-4000)}`))
      }
      this.#waiting.add(done)
      deadline.addEventListener('abort', late, { once: true })
      if (deadline.aborted) late()
    })
  }
}

function parse(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
