import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { SessionBookmarks } from '../../schemas/api.ts'
import type { Api } from '../data/api.ts'
import { countText } from '../data/format.ts'
import '../elements/case-adder.ts'
import type { CaseAdder } from '../elements/case-adder.ts'
import { Question } from '../elements/question.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { type FramePlace, replayPath } from '../router.ts'

/** What of a session people have gathered, and the way to gather more of it. */
export class ReplayBookmarks extends LitElement {
  static override properties = { api: { attribute: false }, session: { attribute: false }, place: { attribute: false } }
  declare api: Pick<Api, 'bookmarks' | 'cases' | 'createCase' | 'changeCase'>
  declare session: string
  /** What a bookmark would be of. */
  declare place: FramePlace
  #bookmarks: SessionBookmarks['bookmarks'] = []
  readonly #question = new Question(this)

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('session')) return
    this.#bookmarks = []
    void this.#load()
  }

  /** The key of the replay asks for it, too. */
  add(): void {
    void this.querySelector<CaseAdder>('case-adder')?.ask({ kind: 'frame', session: this.session, ...this.place })
  }

  protected override render(): TemplateResult {
    const count = this.#bookmarks.length
    const { state, problem } = this.#question
    return html`<button type="button" popovertarget="bookmarks">Bookmarks${count === 0 ? nothing : ` ${countText(count)}`}</button>
      <div id="bookmarks" class="popover" popover role="dialog" aria-label="Bookmarks">
        <h2>Bookmarks of this session</h2>
        ${problem === '' ? nothing : html`<p class="wrong" role="alert">${safe(problem)}</p>`}
        ${
          count === 0
            ? state === 'here'
              ? html`<p class="muted">Nothing of it is in a case you may see.</p>`
              : nothing
            : html`<ul class="plain bookmark-list">${this.#bookmarks.map(
                ({ case: id, title, item }) => html`<li>
                  ${item.frame === undefined ? html`<b>the session</b>` : html`<a href=${replayPath(this.session, { frame: item.frame, ...(item.row === undefined ? {} : { row: item.row }) })}>frame ${countText(item.frame)}</a>`}
                  <span class="muted">in <a href="/cases/${encodeURIComponent(id)}">${safeLine(title, 60)}</a>, by ${safeLine(item.by, 40)}</span>
                  ${item.note === '' ? nothing : html`<p>${safe(item.note, true)}</p>`}
                </li>`,
              )}</ul>`
        }
        <p class="chips"><button type="button" class="primary" @click=${() => this.add()}>Bookmark this frame</button>
          <button type="button" @click=${() => void this.querySelector<CaseAdder>('case-adder')?.ask({ kind: 'session', session: this.session })}>Add the session to a case</button> <kbd>M</kbd> <span class="muted">bookmarks, too</span></p>
      </div>
      <case-adder .api=${this.api} @added=${() => void this.#load()}></case-adder>`
  }

  async #load(): Promise<void> {
    await this.#question.ask(async (signal) => {
      this.#bookmarks = (await this.api.bookmarks(this.session, signal)).bookmarks
    })
  }
}
customElements.define('replay-bookmarks', ReplayBookmarks)
