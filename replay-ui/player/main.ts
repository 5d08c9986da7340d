import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { BlobObject } from '../data/blob-objects.ts'
import TerminalWorker from '../data/terminal.worker.ts?worker&inline'
import VerifyWorker from '../data/verify.worker.ts?worker&inline'
import { safeLine } from '../elements/safe.ts'
import '../pages/replay.ts'
import type { ReplaySetting } from '../pages/replay-setting.ts'
import '../styles/main.css'
import './player.css'
import { applyTheme, storedTheme } from '../theme.ts'
import { bundleFilesOf, OfflineBundle } from './offline-bundle.ts'

applyTheme(storedTheme())

/** Replays the recordings of an audit bundle: opens from a folder, asks no server, sends nothing anywhere. */
class BundlePlayer extends LitElement {
  #bundle: OfflineBundle | undefined
  #setting: ReplaySetting | undefined
  #session: string | undefined
  /** The recording of that session. */
  #blobs: readonly BlobObject[] = []
  #keys = ''
  #problem = ''

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    addEventListener('hashchange', () => void this.#arrived())
    this.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null
      // The replay's way back to all sessions is, here, the list of the sample.
      if (link?.getAttribute('href') !== '/sessions') return
      event.preventDefault()
      location.hash = ''
    })
    void this.#arrived()
  }

  async #arrived(): Promise<void> {
    const { hash } = location
    const [, session] = /^#session=([A-Za-z0-9._-]{1,200})/.exec(hash) ?? []
    if (session !== this.#session && session !== undefined && this.#bundle !== undefined) {
      try {
        const blobs = await this.#bundle.blobsOf(session)
        if (location.hash !== hash) return
        this.#blobs = blobs
      } catch (error) {
        this.#problem = messageOf(error)
        location.hash = ''
        return
      }
    }
    this.#session = session
    this.requestUpdate()
  }

  async #chosen(files: readonly File[]): Promise<void> {
    this.#problem = ''
    try {
      const bundle = await OfflineBundle.open(await bundleFilesOf(files), this.#keys)
      this.#setting = {
        newTapeWorker: () => new VerifyWorker(),
        newTerminalWorker: () => new TerminalWorker(),
        pathOf: (session, { frame, row }) => `#session=${session}&frame=${frame}${row === undefined ? '' : `.${row}`}`,
        blobsOf: (session) => (session === this.#session ? this.#blobs : []),
      }
      this.#bundle = bundle
      this.#session = undefined
      await this.#arrived()
    } catch (error) {
      this.#problem = messageOf(error)
    }
    this.requestUpdate()
  }

  protected override render(): TemplateResult {
    const [bundle, setting, session] = [this.#bundle, this.#setting, this.#session]
    if (bundle === undefined || setting === undefined) return this.#choose()
    if (session === undefined) return this.#list(bundle)
    const [, frame, row] = /&frame=(\d{1,15})(?:\.(\d{1,15}))?$/.exec(location.hash) ?? []
    const place = frame === undefined ? undefined : { frame: Number(frame), ...(row === undefined ? {} : { row: Number(row) }) }
    return html`<replay-page .api=${bundle} .setting=${setting} .session=${session} .place=${place}></replay-page>`
  }

  #choose(): TemplateResult {
    const take = (event: Event): void => {
      if (event.target instanceof HTMLInputElement) void this.#chosen([...(event.target.files ?? [])])
    }
    return html`<main class="page player" id="main">
      <h1>Replay an audit bundle</h1>
      <p>Everything happens in this page: it asks no server and sends nothing anywhere. What is played is what is verified: the recordings themselves.</p>
      <label>Keys of the gateways you trust, from a <code>gateway.pub</code> that did not come with the bundle (empty: the bundle’s own)
        <textarea rows="2" spellcheck="false" placeholder="gw1 MCowBQYDK2VwAyEA..." @input=${(event: InputEvent) => {
          if (event.target instanceof HTMLTextAreaElement) this.#keys = event.target.value
        }}></textarea></label>
      <div class="player-choices">
        <label class="player-choice">The bundle’s folder, unpacked <input id="folder" type="file" webkitdirectory @change=${take}></label>
        <label class="player-choice">or its archive <input id="archive" type="file" accept=".zip" @change=${take}></label>
      </div>
      ${this.#said()}
    </main>`
  }

  #said(): TemplateResult | typeof nothing {
    return this.#problem === '' ? nothing : html`<p class="problem" role="alert">${safeLine(this.#problem, 400)}</p>`
  }

  #list({ sessions }: OfflineBundle): TemplateResult {
    return html`<main class="page player" id="main"><h1>Recordings of the sample</h1>
      ${this.#said()}
      ${sessions.length === 0 ? html`<p>No recording was drawn, or none is there.</p>` : html`<ol>${sessions.map((id) => html`<li><a href=${`#session=${id}`}>${id}</a></li>`)}</ol>`}</main>`
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
customElements.define('bundle-player', BundlePlayer)
