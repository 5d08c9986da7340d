import './worker-window.ts'

import { Api } from './api.ts'
import { BlobObjects } from './blob-objects.ts'
import { ChunkRuns } from './chunk-runs.ts'
import type { ChunkPlace } from './tape-map.ts'
import { TerminalFinder } from './terminal-finder.ts'
import type { TerminalAsk, TerminalTell } from './terminal-messages.ts'
import { type TerminalSource, TerminalTape } from './terminal-tape.ts'
import { webTools } from './web-tools.ts'

// A worker of its own: it may read a recording through for its first screen, and neither seeking nor verifying waits for it.

/** Read on at once while nobody asks: whoever does waits for so many at most. */
const READ_ON_FRAMES = 500

let runs = new ChunkRuns(new Api(), webTools, '')
let asked = 0
let searched = 0
const terminals = new Map<number, TerminalTape>()
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
  chunk: (index) => runs.chunk(chunks, index),
}

async function answer(ask: TerminalAsk): Promise<void> {
  if (ask.ask === 'open') {
    const api = ask.blobs === undefined ? new Api({ origin: ask.origin, purpose: ask.purpose }) : new BlobObjects(ask.blobs)
    runs = new ChunkRuns(api, webTools, ask.id)
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
  if (own !== asked) return
  tell({ tell: 'screen', channel, seq, screen: screen ?? null })
  // Whoever has seen one screen wants others: they are made ready as far as the recording goes. What cannot be had now is asked for
  // again, and told of, when somebody wants it.
  while (own === asked && (await tape.readOn(READ_ON_FRAMES).catch(() => false)));
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
