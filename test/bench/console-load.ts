import { Agent, request } from 'node:http'
import { API_BASE } from '../../schemas/api-names.ts'

/** Below the 100 a second the API takes of one address, so that nothing measured is a refusal. */
const PER_SECOND = 90
const STREAMS = 20
const RANGE_SIZE = 256 << 10

export interface LoadAnswer {
  readonly what: string
  readonly tookMs: number
  readonly size: number
}

interface Tape {
  readonly session: string
  readonly object: string
  readonly size: number
}

/** People at work in one console: lists, filters, searches, statements, ranges of tapes, approvals, and streams of news. */
export class ConsoleLoad {
  readonly #port: number
  readonly #headers: Readonly<Record<string, string>>
  // The address is one, so are its connections: as a browser's, kept.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 })
  /** Whoever searches waits for what they asked for before they ask again; more than a few at once are refused. */
  #searching = false

  constructor(port: number, key: string) {
    this.#port = port
    this.#headers = { authorization: `Bearer ${key}` }
  }

  /** Asks until the signal; resolves with every answer. Rejects for one that is none. */
  async run(signal: AbortSignal): Promise<{ readonly answers: readonly LoadAnswer[]; readonly events: number }> {
    const sessions = await this.#json('/sessions?limit=200')
    const ids: string[] = sessions.sessions.map(({ id }: { readonly id: string }) => id)
    const tapes = (await Promise.all(ids.slice(0, 20).map((id) => this.#tapesOf(id)))).flat()
    const answers: LoadAnswer[] = []
    const over = new AbortController()
    const events = { count: 0 }
    for (let stream = 0; stream < STREAMS; stream += 1) this.#follow(events, over.signal)
    const asked: Promise<void>[] = []
    const started = performance.now()
    for (let turn = 0; !signal.aborted; turn += 1) {
      const waitMs = started + (turn * 1000) / PER_SECOND - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      const [what, path, range] = questionOf(turn, ids, tapes)
      if (what === 'search' && this.#searching) continue
      if (what === 'search') this.#searching = true
      const begun = performance.now()
      asked.push(
        this.#ask(path, range).then((bytes) => {
          if (what === 'search') this.#searching = false
          answers.push({ what, tookMs: performance.now() - begun, size: bytes.length })
        }),
      )
    }
    await Promise.all(asked)
    over.abort()
    return { answers, events: events.count }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #tapesOf(session: string): Promise<readonly Tape[]> {
    const { objects } = await this.#json(`/sessions/${session}/objects`)
    return objects
      .filter(({ kind }: { readonly kind: string }) => kind === 'segment')
      .map(({ name, size }: { readonly name: string; readonly size: number }) => ({ session, object: name, size }))
  }

  #follow(events: { count: number }, signal: AbortSignal): void {
    const outgoing = request({
      host: '127.0.0.1',
      port: this.#port,
      path: `${API_BASE}/events`,
      headers: this.#headers,
      agent: false,
    })
    outgoing.on('response', (response) => {
      response.setEncoding('utf8').on('data', (text: string) => {
        events.count += text.split('\nevent: ').length - 1
      })
      response.on('error', () => undefined)
    })
    outgoing.on('error', () => undefined)
    outgoing.end()
    signal.addEventListener('abort', () => outgoing.destroy(), { once: true })
  }

  async #json(path: string): Promise<ReturnType<typeof JSON.parse>> {
    return JSON.parse((await this.#ask(path)).toString('utf8'))
  }

  #ask(path: string, range?: string): Promise<Buffer> {
    const headers = { ...this.#headers, ...(range === undefined ? {} : { range }) }
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port: this.#port, path: API_BASE + path, headers, agent: this.#agent },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const bytes = Buffer.concat(chunks)
            if (response.statusCode === 200 || response.statusCode === 206) resolve(bytes)
            else reject(new Error(`${path} was answered with ${response.statusCode}: ${bytes.toString('utf8').slice(0, 300)}`))
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  }
}

/** What is asked in this turn: mostly what a person who seeks asks, and now and then what lists and searches do. */
function questionOf(turn: number, ids: readonly string[], tapes: readonly Tape[]): [what: string, path: string, range?: string] {
  const id = ids[turn % ids.length] ?? ''
  switch (turn % 10) {
    case 0:
      return ['list', '/sessions?limit=50']
    case 1:
      return ['filter', '/sessions?limit=50&verdict=mask&minRows=1']
    case 2:
      return ['search', `/sessions?limit=50&text=${encodeURIComponent(`ledger ${turn % 7}`)}`]
    case 3:
      return ['session', `/sessions/${id}`]
    case 4:
      return ['statements', `/sessions/${id}/statements?limit=200`]
    case 5:
      return ['approvals', '/approvals']
    default: {
      const tape = tapes[turn % tapes.length]
      if (tape === undefined) throw new Error('no tape to read: the run is void')
      const from = Math.floor(((turn * 7919) % 1000) * Math.max(0, tape.size - RANGE_SIZE) * 0.001)
      return ['range', `/sessions/${tape.session}/objects/${tape.object}`, `bytes=${from}-${from + RANGE_SIZE - 1}`]
    }
  }
}
