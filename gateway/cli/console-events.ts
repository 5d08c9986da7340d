import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { API_BASE, type ServerEvent } from '../../schemas/api.ts'
import { ApplianceError, ERROR_CODES } from '../../schemas/errors.ts'

/** A list of the API's is 64 MiB at most, one event a row of it. */
const MAX_EVENT_CHARS = 8 << 20
/** A console says something every 15 s. */
const SILENT_MS = 60_000

interface Following {
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

/** Server-sent events of the console, in order (WHATWG HTML, 9.2: what of it our own API sends). */
export async function* followed(base: URL, { headers, ca, signal }: Following): AsyncGenerator<ServerEvent> {
  const response = await opened(base, { headers, ca, signal })
  let rest = ''
  response.setEncoding('utf8')
  try {
    for await (const chunk of response) {
      const events = `${rest}${chunk}`.split('\n\n')
      rest = events.pop() ?? ''
      if (rest.length > MAX_EVENT_CHARS) throw unanswered(base, 'an event is too long')
      for (const text of events) {
        const event = eventOf(text)
        if (event !== undefined) yield event
      }
    }
  } catch (error) {
    if (signal.aborted) return
    throw error instanceof ApplianceError ? error : unanswered(base, error instanceof Error ? error.message : String(error))
  } finally {
    response.destroy()
  }
}

function opened(base: URL, { headers, ca, signal }: Following): Promise<IncomingMessage> {
  const request = base.protocol === 'https:' ? tlsRequest : plainRequest
  return new Promise((resolve, reject) => {
    const options = { headers, signal, timeout: SILENT_MS, ...(ca === undefined ? {} : { ca }) }
    const asking = request(new URL(`${API_BASE}/events`, base), options, (response) => {
      if (response.statusCode === 200) resolve(response)
      else {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          if (text.length < MAX_EVENT_CHARS) text += chunk
        })
        response.on('end', () => reject(refusalOf(parsed(text), response.statusCode ?? 500)))
        response.on('error', (error) => reject(unanswered(base, error.message)))
      }
    })
    asking.on('timeout', () => asking.destroy(new Error('it has fallen silent')))
    asking.on('error', (error) => reject(unanswered(base, error.message)))
    asking.end()
  })
}

function eventOf(text: string): ServerEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2))
  }
  const event = fields.get('event')
  const data = parsed(fields.get('data') ?? '')
  if (event === undefined || typeof data !== 'object' || data === null) return undefined
  return { event, data } as ServerEvent // the API sends what its document says
}

function unanswered(base: URL, why: string): ApplianceError {
  return new ApplianceError('API_FAILED', `the console at ${base.origin} tells nothing more (${why})`)
}

/** Null for no text, undefined for what is not JSON. */
export function parsed(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The API's problem in its own words. */
export function refusalOf(answer: unknown, status: number): ApplianceError {
  const { code, detail }: { code?: unknown; detail?: unknown } = typeof answer === 'object' && answer !== null ? answer : {}
  const known = ERROR_CODES.find((each) => each === code)
  return new ApplianceError(
    known ?? 'API_FAILED',
    typeof detail === 'string' ? detail : `the console answered with status ${status}`,
  )
}
