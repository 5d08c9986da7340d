import './worker-window.ts'

import { ApplianceError } from '../../schemas/errors.ts'
import { Api } from './api.ts'
import { BlobObjects } from './blob-objects.ts'
import { ChunkFrames } from './chunk-frames.ts'
import type { ChunkPlace } from './tape-map.ts'
import { readChunk } from './tape-reader.ts'
import type { ObjectApi } from './tape-source.ts'
import { TerminalFinder } from './terminal-finder.ts'
import type { TerminalAsk, TerminalTell } from './terminal-messages.ts'
import { type TerminalSource, TerminalTape } from './terminal-tape.ts'
import { webTools } from './web-tools.ts'

// A worker of its own: it may read a recording through for its first screen, and neither seeking nor verifying waits for it.

/** Chunks kept unpacked: those a reader steps to and fro in. */
const KEPT_CHUNKS = 8

let api: ObjectApi = new Api()
let id = ''
let asked = 0
let searched = 0
const terminals = new Map<number, TerminalTape>()
const kept = new Map<string, Promise<ChunkFrames | undefined>>()
let chunks: readonly ChunkPlace[] = []

function tell(message: TerminalTell): void {
  postMessage(message)
}

addEventListener('message', ({ data }: MessageEvent<TerminalAsk>) => {
  answer(data).catch((error: unknown) => tell({ tell: 'failed', what: error instanceof Error ? error.message : String(error) }))
})

/** Sees whatever chunks the page has told of last. */
const source: TerminalSource = {
  get chunks() {
    return chunks
  },
  chunk(index) {
    const place = chunks[index]
    if (place === undefined) return Promise.resolve(undefined)
    const key = `${place.key} ${place.offset}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const [oldest] = kept.keys()
    if (kept.size >= KEPT_CHUNKS && oldest !== undefined) kept.delete(oldest)
    const reading = readChunk(api, webTools, id, place).then(
      ({ raw, bounds }) => new ChunkFrames(raw, bounds),
      (error: unknown) => {
        if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
        kept.delete(key)
        throw error
      },
    )
    kept.set(key, reading)
    return reading
  },
}

async function answer(ask: TerminalAsk): Promise<void> {
  if (ask.ask === 'open') {
    api = ask.blobs === undefined ? new Api({ origin: ask.origin, purpose: ask.purpose }) : new BlobObjects(ask.blobs)
    id = ask.id
    return
  }
  if (ask.ask === 'map') {
    chunks = ask.chunks
    return
  }
  if (ask.ask === 'find') {
    await find(ask)
    return
  }
  asked += 1
  const own = asked
  const { channel, seq } = ask
  const tape = terminalOf(channel)
  const screen = await tape.screenAt(seq, (read) => tell({ tell: 'reading', channel, seq, read }))
  // Somebody who steps on has asked for the next already.
  if (own === asked) tell({ tell: 'screen', channel, seq, screen: screen ?? null })
}

function terminalOf(channel: number): TerminalTape {
  const tape = terminals.get(channel) ?? new TerminalTape(source, channel)
  terminals.set(channel, tape)
  return tape
}

async function find({ ask: _, channel, ...search }: Extract<TerminalAsk, { ask: 'find' }>): Promise<void> {
  searched += 1
  const own = searched
  if (search.text === '') return
  const finder = new TerminalFinder(terminalOf(channel))
  const at = await finder.find(
    search,
    () => own !== searched,
    (read) => {
      if (own === searched) tell({ tell: 'finding', channel, ...search, read })
    },
  )
  if (own === searched) tell({ tell: 'found', channel, ...search, at })
}
