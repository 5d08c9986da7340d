import { create, type Player, type Source } from 'asciinema-player'
import 'asciinema-player/dist/bundle/asciinema-player.css'
import type { TerminalSize } from '../../schemas/views/terminal.ts'

/** What the player's screen is told (asciinema-player's events of a driver). */
interface Dispatch {
  (event: 'reset', data: { readonly size: TerminalSize; readonly init: string }): void
  (event: 'resize', data: TerminalSize): void
  (event: 'output', data: string): void
  (event: 'play' | 'playing'): void
}

export interface TerminalPlayer {
  readonly reset: (size: TerminalSize, init: string) => void
  readonly resize: (size: TerminalSize) => void
  readonly output: (text: string) => void
  readonly dispose: () => void
}

/**
 * The player's screen without its clock: what is shown and when is the replay's business, which has one for every protocol. Resolves once
 * the screen can be written to. Its emulator is WebAssembly.
 */
export function openPlayer(into: HTMLElement, size: TerminalSize): Promise<TerminalPlayer> {
  return new Promise((resolve) => {
    const driver = ({ dispatch }: { readonly dispatch: Dispatch }): object => ({
      init: () => undefined,
      // Without its being played it lays a button to start over the screen.
      play() {
        dispatch('play')
        dispatch('playing')
        resolve({
          reset: (to, init) => dispatch('reset', { size: to, init }),
          resize: (to) => dispatch('resize', to),
          output: (text) => dispatch('output', text),
          dispose: () => player.dispose(),
        })
        return true
      },
      getTiming: () => ({ time: 0, rate: 0 }),
    })
    // A function is taken for a driver by `getDriver` of its core; its types leave that out.
    const source = driver as unknown as Source
    const player: Player = create(source, into, {
      cols: size.cols,
      rows: size.rows,
      autoPlay: true,
      controls: false,
      fit: 'width',
      theme: 'sallyport',
      cursorMode: 'steady',
      terminalFontFamily: 'var(--mono)',
    })
  })
}
