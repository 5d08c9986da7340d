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
/** Somebody who seeks has the processor: reading on begins once they look at something for so long. */
const READ_ON_AFTER_MS = 1_000

let runs = new ChunkRuns(new Api(), webTools, '')
let keyframeOf: NonNullable<TerminalSource['keyframe']> = () => Promise.resolve(undefined)
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
  chunk: (index, last) => runs.chunk(chunks, index, last),
  // Where the catalog is away, or there is no server, the recording alone is enough: it is read from its start.
  keyframe: (channel, seq) => keyframeOf(channel, seq).catch(() => undefined),
}

async function answer(ask: TerminalAsk): Promise<void> {
  if (ask.ask === 'open') {
    const { id, origin, purpose, blobs } = ask
    const server = blobs === undefined ? new Api({ origin, purpose }) : undefined
    runs = new ChunkRuns(server ?? new BlobObjects(blobs ?? []), webTools, id)
    if (server !== undefined)
      keyframeOf = async (channel, frame) => (await server.screen(id, { channel, frame })).keyframe ?? undefined
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
  let screen = await tape.screenAt(seq, (read) => tell({ tell: 'reading', channel, seq, read }))
  // Somebody who steps on has asked for the next already.
  if (own !== asked) return
  tell({ tell: 'screen', channel, seq, screen: screen ?? null })
  await new Promise((resolve) => setTimeout(resolve, READ_ON_AFTER_MS))
  // Whoever has seen one screen wants others: they are made ready as far as the recording goes. What cannot be had now is asked for
  // again, and told of, when somebody wants it.
  while (own === asked && (await tape.readOn(READ_ON_FRAMES).catch(() => false))) {
    if (screen === undefined || tape.confirms(screen) !== false) continue
    // It went on from a screen that was kept elsewhere and is not the recording's.
    screen = await tape.screenAt(seq)
    if (own === asked) tell({ tell: 'screen', channel, seq, screen: screen ?? null })
  }
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
