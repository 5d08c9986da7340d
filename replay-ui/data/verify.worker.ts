import { ApplianceError } from '../../schemas/errors.ts'
import type { CheckedChunk } from '../../schemas/verify/tape-state.ts'
import type { VerifyTools } from '../../schemas/verify/tools.ts'
import { verifyTapeWith } from '../../schemas/verify/verify-tape.ts'
import { Api, ApiError } from './api.ts'
import { BlobObjects } from './blob-objects.ts'
import { ChunkFrames } from './chunk-frames.ts'
import { ExchangeReader } from './exchange-reader.ts'
import { ExchangeIndex } from './exchanges.ts'
import { type FrameFilter, frameMatcher } from './filter.ts'
import type { TapeMap } from './tape-map.ts'
import { TapeReader } from './tape-reader.ts'
import { type ObjectApi, TapeSource } from './tape-source.ts'
import { webTools } from './web-tools.ts'
import type { Ask, Tell } from './worker-messages.ts'

/** Whole megabytes at once: verification reads everything. */
const VERIFY_WINDOW_SIZE = 1 << 20
/** Verdicts of chunks are told together, at most this often. */
const TELL_EVERY_MS = 500
/** Long enough to fetch and show a chunk; a machine of two cores has none to spare then. */
const PAUSE_MS = 300
/** Found frames listed; a search that finds more is too wide to be read, and says so by stopping here. */
const MAX_FOUND = 200_000

interface Opened {
  readonly reader: TapeReader
  map: TapeMap
}

let api: ObjectApi = new Api()
let id = ''
let opened: Promise<Opened> | undefined
/** One after another: each reads on where the one before ended. */
let growing: Promise<void> = Promise.resolve()
let verifying: AbortController | undefined
let search = 0
let pausedUntilMs = 0
let listing: ExchangeReader | undefined

/** What `transfer` names is the page's from then on, and not copied. */
function tell(message: Tell, transfer: Transferable[] = []): void {
  postMessage(message, { transfer })
}

addEventListener('message', (event: MessageEvent<Ask>) => {
  const ask = event.data
  answer(ask).catch((error: unknown) => {
    const code = error instanceof ApplianceError || error instanceof ApiError ? error.code : 'internal'
    tell({ tell: 'failed', ask: ask.ask, code, what: error instanceof Error ? error.message : String(error) })
  })
})

async function answer(ask: Ask): Promise<void> {
  switch (ask.ask) {
    case 'open': {
      api = ask.blobs === undefined ? new Api({ origin: ask.origin, purpose: ask.purpose }) : new BlobObjects(ask.blobs)
      id = ask.id
      if (ask.only === 'verify') return
      opened = open(ask.id, api)
      tell({ tell: 'map', map: (await opened).map })
      return
    }
    case 'grow': {
      const tape = await theTape()
      growing = growing
        .catch(() => undefined)
        .then(async () => {
          tape.map = await tape.reader.grow(ask.objects)
          tell({ tell: 'map', map: tape.map })
        })
      await growing
      return
    }
    case 'chunk':
      await chunk(await theTape(), ask.index)
      return
    case 'verify':
      await verify(ask.trust)
      return
    case 'pause':
      pausedUntilMs = performance.now() + PAUSE_MS
      return
    case 'find':
      search = ask.search
      if (ask.filter !== null) await find(await theTape(), ask.search, ask.filter)
      return
    case 'exchanges': {
      const tape = await theTape()
      listing ??= new ExchangeReader(tape.reader, new ExchangeIndex(ask.protocol, ask.target), tell)
      await listing.readOn(tape.map.chunks)
      return
    }
    default:
      ask satisfies never
  }
}

async function open(session: string, from: ObjectApi): Promise<Opened> {
  const reader = new TapeReader(from, webTools, session)
  return { reader, map: await reader.open() }
}

/** Whatever is asked waits until the tape is open. */
function theTape(): Promise<Opened> {
  return opened ?? Promise.reject(new ApplianceError('STORE_MISSING', 'no tape was asked for'))
}

async function chunk({ reader }: Opened, index: number): Promise<void> {
  try {
    const { raw, bounds } = await reader.chunk(index)
    // The buffer of a chunk that was not compressed is that of the answer: ours alone, too.
    tell({ tell: 'chunk', index, raw, bounds }, [raw.buffer as ArrayBuffer, bounds.buffer as ArrayBuffer])
  } catch (error) {
    if (error instanceof ApplianceError) tell({ tell: 'damage', index, what: error.message, again: false })
    else tell({ tell: 'damage', index, what: error instanceof Error ? error.message : String(error), again: true })
  }
}

/** Everything from the start, whatever is being looked at: what a chunk's key is, only the chunks before it say. */
async function verify(trust: Extract<Ask, { ask: 'verify' }>['trust']): Promise<void> {
  verifying?.abort()
  const running = new AbortController()
  verifying = running
  const source = new TapeSource(api, id, VERIFY_WINDOW_SIZE)
  const gatewayKeys = trust.keys.map(({ gateway, spki }) => ({ gateway, publicKey: bytesOf(spki) }))
  const begun = performance.now()
  let waiting: CheckedChunk[] = []
  let toldAt = begun
  const flush = (): void => {
    if (waiting.length > 0) tell({ tell: 'checked', chunks: waiting })
    waiting = []
    toldAt = performance.now()
  }
  try {
    source.tell((await api.objects(id, running.signal)).objects)
    const verification = await verifyTapeWith(
      { source, tools: patientTools },
      id,
      { gatewayKeys },
      {
        signal: running.signal,
        onChunk: (checked) => {
          waiting.push(checked)
          if (performance.now() - toldAt >= TELL_EVERY_MS) flush()
        },
      },
    )
    flush()
    tell({ tell: 'verified', verification, tookMs: performance.now() - begun })
  } catch (error) {
    if (!running.signal.aborted) throw error
  }
}

const patientTools: VerifyTools = {
  ...webTools,
  async decompress(codec, stored, rawSize) {
    for (let leftMs = pausedUntilMs - performance.now(); leftMs > 0; leftMs = pausedUntilMs - performance.now())
      await new Promise((resolve) => setTimeout(resolve, leftMs))
    return webTools.decompress(codec, stored, rawSize)
  },
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

async function find({ reader, map }: Opened, own: number, filter: FrameFilter): Promise<void> {
  const matches = frameMatcher(filter)
  const of = map.chunks.length
  let [seqs, total, toldAt]: [number[], number, number] = [[], 0, performance.now()]
  for (let index = 0; index < of && total < MAX_FOUND; index += 1) {
    // Asked of the pages in between: a new search or a seek need not wait for this one to end.
    if (own !== search) return
    try {
      const { raw, bounds } = await reader.chunk(index)
      const frames = new ChunkFrames(raw, bounds)
      for (let at = 0; at < frames.count; at += 1) {
        const frame = frames.at(at)
        if (frame !== undefined && matches(frame)) seqs.push(frame.seq)
      }
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      // What cannot be read is marked where frames are shown; the search goes on behind it.
    }
    const done = index === of - 1 || total + seqs.length >= MAX_FOUND
    if (done || performance.now() - toldAt >= TELL_EVERY_MS) {
      if (own !== search) return
      tell({ tell: 'found', search: own, seqs, looked: index + 1, of, done })
      total += seqs.length
      ;[seqs, toldAt] = [[], performance.now()]
    }
  }
  if (of === 0) tell({ tell: 'found', search: own, seqs, looked: 0, of, done: true })
}
