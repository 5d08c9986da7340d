import type { Frame } from '../../schemas/frame.ts'
import { isOfTerminal } from '../../schemas/views/terminal.ts'
import type { TapeMap } from './tape-map.ts'
import type { ScreenSearch, TerminalAsk, TerminalTell } from './terminal-messages.ts'
import type { TerminalScreen } from './terminal-tape.ts'

/** What of a worker this needs. */
export interface TerminalWorker {
  postMessage(ask: TerminalAsk): void
  terminate(): void
  addEventListener(type: 'message', listener: (event: { readonly data: TerminalTell }) => void): void
  addEventListener(type: 'error', listener: (event: { readonly message: string }) => void): void
}

export interface TerminalShown {
  readonly channel: number
  /** The newest that has come; it stays while the next is made. */
  readonly screen: TerminalScreen | undefined
  /** Frames read for the one asked for, of how many, where it takes long. */
  readonly reading: { readonly read: number; readonly of: number } | undefined
  readonly problem: string
  /** The search on its way, or the last one and where it was found, null where nowhere. */
  readonly search: (ScreenSearch & { readonly read: number; readonly at?: number | null }) | undefined
}

/** The terminals of a session as the page has them: started with the first frame of one. */
export class Terminals {
  readonly #newWorker: () => TerminalWorker
  readonly #open: Extract<TerminalAsk, { ask: 'open' }>
  readonly #changed: () => void
  readonly #found: (seq: number) => void
  readonly #channels = new Set<number>()
  #worker: TerminalWorker | undefined
  #map: TapeMap | undefined
  #asked: { readonly channel: number; readonly seq: number } | undefined
  #shown: TerminalShown | undefined

  /** `changed`: there is something new to show; `found`: a search has come to this frame. */
  constructor(
    newWorker: () => TerminalWorker,
    open: Omit<Extract<TerminalAsk, { ask: 'open' }>, 'ask'>,
    changed: () => void,
    found: (seq: number) => void,
  ) {
    this.#newWorker = newWorker
    this.#open = { ask: 'open', ...open }
    this.#changed = changed
    this.#found = found
  }

  /** The screen behind this frame, or what is there of it; undefined for frames of no terminal. Asks for it, and `changed` tells when it has come. */
  at(frame: Frame, map: TapeMap): TerminalShown | undefined {
    const { channel, seq } = frame
    if (isOfTerminal(frame)) this.#channels.add(channel)
    if (!this.#channels.has(channel) || channel === 0) return undefined
    if (this.#asked?.channel !== channel || this.#asked.seq !== seq) {
      this.#asked = { channel, seq }
      const screen = this.#shown?.channel === channel ? this.#shown.screen : undefined
      const search = this.#shown?.channel === channel ? this.#shown.search : undefined
      this.#shown = { channel, screen, reading: undefined, problem: '', search }
      const worker = this.#listened()
      if (this.#map !== map) worker.postMessage({ ask: 'map', chunks: map.chunks })
      this.#map = map
      worker.postMessage({ ask: 'screen', channel, seq })
    }
    return this.#shown
  }

  /** Where the text next, or before, comes onto the screen that is shown; a new search ends the one before. An empty text ends it only. */
  find(text: string, way: ScreenSearch['way']): void {
    const [asked, shown] = [this.#asked, this.#shown]
    if (asked === undefined || shown === undefined) return
    const search = { text, way, seq: asked.seq }
    this.#shown = { ...shown, search: text === '' ? undefined : { ...search, read: asked.seq } }
    this.#listened().postMessage({ ask: 'find', channel: asked.channel, ...search })
    this.#changed()
  }

  close(): void {
    this.#worker?.terminate()
  }

  #listened(): TerminalWorker {
    if (this.#worker === undefined) {
      this.#worker = this.#newWorker()
      this.#worker.addEventListener('message', ({ data }) => this.#told(data))
      this.#worker.addEventListener('error', ({ message }) => this.#told({ tell: 'failed', what: message }))
      this.#worker.postMessage(this.#open)
    }
    return this.#worker
  }

  #told(told: TerminalTell): void {
    const [asked, shown] = [this.#asked, this.#shown]
    if (asked === undefined || shown === undefined) return
    if (told.tell === 'failed') this.#shown = { ...shown, reading: undefined, problem: told.what }
    else if (told.tell === 'finding' || told.tell === 'found') {
      const { search } = shown
      if (told.channel !== shown.channel || search === undefined || search.text !== told.text || search.way !== told.way) return
      this.#shown = { ...shown, search: told.tell === 'found' ? { ...search, at: told.at } : { ...search, read: told.read } }
      if (told.tell === 'found' && told.at !== null) this.#found(told.at)
    } else if (told.channel !== asked.channel || told.seq !== asked.seq) return
    else if (told.tell === 'reading') this.#shown = { ...shown, reading: { read: told.read, of: told.seq } }
    else this.#shown = { ...shown, screen: told.screen ?? undefined, reading: undefined }
    this.#changed()
  }
}
