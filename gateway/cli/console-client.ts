import { readFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { join, resolve } from 'node:path'
import { API_BASE, MAX_PURPOSE_LENGTH, PURPOSE_HEADER, type ServerEvent } from '../../schemas/api.ts'
import { Config } from '../../schemas/config.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { addressOf, pathFrom } from '../config.ts'
import { placesIn } from '../places.ts'
import { readYaml, readYamlText } from '../yaml.ts'
import { followed, parsed, refusalOf } from './console-events.ts'
import { type Cli, findConfig } from './context.ts'
import { shownKey } from './prove-caller.ts'

export interface ConsoleOptions {
  readonly config?: string
  /** Of another console than the configuration's. */
  readonly url?: string
  readonly keyFile?: string
  /** Why, for the ledger. */
  readonly purpose?: string
}

/** A page of the API is 512 KiB of text at most, and its JSON a few times that. */
const MAX_ANSWER_SIZE = 64 << 20
const TIMEOUT_MS = 120_000

/** Asks the API of the running console, as whoever's access key is shown: who sees what is decided there, and noted. */
export interface ConsoleClient {
  /** Below API_BASE. Rejects with the API's own code and words, or API_FAILED where nobody answers. */
  ask<T>(path: string, body?: unknown): Promise<T>
  /** What the console tells as it happens (`GET /events`), until the signal aborts, or it hangs up. Rejects as `ask` does. */
  follow(signal: AbortSignal): AsyncIterable<ServerEvent>
}

export async function consoleClient(options: ConsoleOptions, cli: Cli): Promise<ConsoleClient> {
  const { url, ca } = await placeOf(options, cli)
  const key = await shownKey(options.keyFile, cli)
  if (key === undefined)
    throw new ApplianceError(
      'AUTH_REQUIRED',
      'the console is asked as somebody: put your own access key into SALLYPORT_KEY, or name its file with --key-file',
    )
  const { purpose = 'command line' } = options
  if (purpose.length > MAX_PURPOSE_LENGTH)
    throw new ApplianceError('API_INVALID', `--purpose has at most ${MAX_PURPOSE_LENGTH} characters`)
  const headers = { authorization: `Bearer ${key}`, [PURPOSE_HEADER]: encodeURIComponent(purpose.toWellFormed()) }
  return {
    // The API answers each path with what its document says.
    ask: async <T>(path: string, body?: unknown) => (await asked(url, path, { headers, ca, body })) as T,
    follow: (signal) => followed(url, { headers, ca, signal }),
  }
}

/** Where the console is, and whose certificate to believe: the configured one, or our own of `dataDir/keys`. */
async function placeOf(options: ConsoleOptions, cli: Cli): Promise<{ readonly url: URL; readonly ca: string | undefined }> {
  if (options.url !== undefined && options.config === undefined) return { url: urlOf(options.url), ca: undefined }
  const path = findConfig(options.config, cli)
  const config = readYaml(await readYamlText(path), path, Config, 'CONFIG_INVALID')
  const { console: own } = config
  if (own === undefined && options.url === undefined)
    throw new ApplianceError('CONFIG_INVALID', `${path} has no console, and no other is named with --url`)
  const from = pathFrom(path)
  const file = own?.tls === undefined ? undefined : from(own.tls.cert ?? join(placesIn(config.dataDir).keys, 'listener.crt'))
  const ca = file === undefined ? undefined : await readFile(resolve(file), 'utf8')
  if (options.url !== undefined) return { url: urlOf(options.url), ca }
  const { host, port } = addressOf(own?.address ?? '')
  return { url: urlOf(own?.url ?? `${own?.tls === undefined ? 'http' : 'https'}://${hostOf(host)}:${port}`), ca }
}

/** What a listener's address is asked by on its own machine, as URLs write it. */
export function hostOf(host: string): string {
  return host === '::' || host === '0.0.0.0' ? 'localhost' : host.includes(':') ? `[${host}]` : host
}

function urlOf(text: string): URL {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text)
  throw new ApplianceError(
    'CONFIG_INVALID',
    `${JSON.stringify(text)} is no address of a console, such as https://console.example`,
  )
}

interface Asking {
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string | undefined
  readonly body: unknown
}

function asked(base: URL, path: string, { headers, ca, body }: Asking): Promise<unknown> {
  const sent = body === undefined ? undefined : JSON.stringify(body)
  const request = base.protocol === 'https:' ? tlsRequest : plainRequest
  return new Promise((done, reject) => {
    const failed = (why: string): void =>
      reject(new ApplianceError('API_FAILED', `no console answers at ${base.origin} (${why}); is \`sallyport serve\` running?`))
    const outgoing = request(
      new URL(API_BASE + path, base),
      {
        method: sent === undefined ? 'GET' : 'POST',
        headers: { ...headers, ...(sent === undefined ? {} : { 'content-type': 'application/json' }) },
        timeout: TIMEOUT_MS,
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_ANSWER_SIZE) outgoing.destroy(new Error('the answer is too long'))
          else chunks.push(chunk)
        })
        response.on('error', (error) => failed(error.message))
        response.on('end', () => {
          const answer = parsed(Buffer.concat(chunks).toString('utf8'))
          if (answer === undefined) failed('what answers there is no console')
          else if ((response.statusCode ?? 500) < 300) done(answer)
          else reject(refusalOf(answer, response.statusCode ?? 500))
        })
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    outgoing.on('error', (error) => failed(error.message === '' ? error.name : error.message))
    outgoing.end(sent)
  })
}
