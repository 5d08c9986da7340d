import { html, LitElement, type PropertyValues, type TemplateResult } from 'lit'
import type { TerminalScreen as Screen } from '../data/terminal-tape.ts'
import type { TerminalPlayer } from './terminal-player.ts'

/** A terminal as it was behind a frame. What it is written decides about its own rectangle and nothing else. */
export class TerminalScreen extends LitElement {
  static override properties = { screen: { attribute: false }, problem: { state: true } }
  declare screen: Screen | undefined
  declare private problem: string
  #player: Promise<TerminalPlayer> | undefined
  #shown: Screen | undefined
  #decoder = new TextDecoder()
  /** One after the other. */
  #turn: Promise<void> = Promise.resolve()

  constructor() {
    super()
    this.screen = undefined
    this.problem = ''
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.addEventListener('keydown', this.#pressed, true)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.removeEventListener('keydown', this.#pressed, true)
    void this.#player?.then((player) => player.dispose())
    this.#player = undefined
    this.#shown = undefined
  }

  protected override render(): TemplateResult {
    return html`<div class="terminal-frame" role="region" aria-label="Terminal" tabindex="0"></div>${this.problem === '' ? '' : html`<p class="wrong" role="alert">${this.problem}</p>`}`
  }

  protected override updated(changed: PropertyValues<this>): void {
    const { screen } = this
    if (!changed.has('screen') || screen === undefined) return
    this.#turn = this.#turn
      .then(() => this.#show(screen))
      .catch((error: unknown) => {
        this.problem = `The terminal cannot be shown: ${error instanceof Error ? error.message : String(error)}`
      })
  }

  async #show(screen: Screen): Promise<void> {
    const into = this.querySelector<HTMLElement>('.terminal-frame')
    if (into === null || screen !== this.screen) return
    this.#player ??= import('./terminal-player.ts').then(({ openPlayer }) => openPlayer(into, screen))
    const player = await this.#player
    const before = this.#shown
    const goesOn = before?.from === screen.from && before.init === screen.init && before.steps.length <= screen.steps.length
    if (!goesOn) {
      player.reset(screen, screen.init)
      this.#decoder = new TextDecoder()
    }
    let text = ''
    for (const step of screen.steps.slice(goesOn ? before.steps.length : 0)) {
      if (step instanceof Uint8Array) text += this.#decoder.decode(step, { stream: true })
      else {
        player.output(text)
        text = ''
        player.resize(step)
      }
    }
    if (text !== '') player.output(text)
    this.#shown = screen
    // For whoever waits for it: a test, a screen reader's user.
    into.dataset['frame'] = String(screen.seq)
  }

  /** Keys are the replay's: the player has others of its own for the same ones. */
  readonly #pressed = (event: KeyboardEvent): void => {
    event.stopImmediatePropagation()
    if (!(this.parentElement?.dispatchEvent(new KeyboardEvent('keydown', event)) ?? true)) event.preventDefault()
  }
}
customElements.define('terminal-screen', TerminalScreen)
