import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { Me, ServerEvent } from '../schemas/api.ts'
import { Api, ApiError } from './data/api.ts'
import { Live } from './data/live.ts'
import { failure, loading } from './elements/marks.ts'
import { safeLine } from './elements/safe.ts'
import './pages/approvals.ts'
import './pages/bundles.ts'
import './pages/cases.ts'
import './pages/compare.ts'
import './pages/evidence.ts'
import './pages/findings.ts'
import './pages/policy.ts'
import './pages/replay.ts'
import './pages/search.ts'
import './pages/sessions.ts'
import './pages/sign-in.ts'
import type { PickEvent } from './pages/approvals.ts'
import type { GoEvent } from './pages/cases.ts'
import type { CustodyEvent } from './pages/evidence.ts'
import { keyHelp } from './pages/key-help.ts'
import type { ReplaySetting } from './pages/replay-setting.ts'
import type { FilterEvent } from './pages/sessions.ts'
import type { SignedInEvent } from './pages/sign-in.ts'
import {
  type CustodyAsk,
  evidencePath,
  failedSignIn,
  linkOf,
  type Route,
  replayPath,
  routeOf,
  searchPath,
  sessionsPath,
} from './router.ts'
import { applyTheme, nextTheme, storedTheme } from './theme.ts'

applyTheme(storedTheme())

class SallyportApp extends LitElement {
  #me: Me | undefined
  #state: 'asking' | 'out' | 'in' | 'failed' = 'asking'
  #problem = ''
  #link: string | undefined
  #failed: ReturnType<typeof failedSignIn>
  #route: Route = routeOf(new URL(location.href))
  #waiting = 0
  /** Why it is not known how many wait. */
  #uncounted = ''
  readonly #api = new Api({
    csrf: () => this.#me?.csrf ?? null,
    purpose: 'console',
    onSignedOut: () => this.#signedOut(),
  })
  /** Why there is the sign-in page, where somebody was in before. */
  #note = ''
  readonly #setting: ReplaySetting = {
    newTapeWorker: () => new Worker(new URL('./data/verify.worker.ts', import.meta.url), { type: 'module' }),
    newTerminalWorker: () => new Worker(new URL('./data/terminal.worker.ts', import.meta.url), { type: 'module' }),
    pathOf: replayPath,
    desk: this.#api,
  }
  #help = false
  /** The page whose link was brought into sight. */
  #shown: Route['page'] | undefined
  /** Kept while the address asks the same. */
  #ask: CustodyAsk = {}
  readonly #live = new Live(this.#api, () => this.requestUpdate())

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#takeLink()
    addEventListener('popstate', () => this.#arrived())
    addEventListener('hashchange', () => this.#arrived())
    document.addEventListener('click', this.#clicked)
    addEventListener('keydown', this.#pressed)
    this.#live.listen((event) => this.#heard(event), new AbortController().signal)
    if (this.#link === undefined) void this.#askWho()
    else this.#state = 'out'
  }

  /** The token is in the address no longer than it takes to read it. */
  #takeLink(): void {
    const link = linkOf(location.hash)
    this.#failed = failedSignIn(location.hash) ?? this.#failed
    if (link === undefined && failedSignIn(location.hash) === undefined) return
    this.#link = link ?? this.#link
    history.replaceState(null, '', location.pathname + location.search)
  }

  async #askWho(): Promise<void> {
    try {
      this.#signedIn(await this.#api.me())
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#state = 'out'
      else {
        this.#state = 'failed'
        this.#problem = error instanceof Error ? error.message : String(error)
      }
      this.requestUpdate()
    }
  }

  #signedIn(me: Me): void {
    this.#me = me
    this.#state = 'in'
    this.#link = undefined
    this.#failed = undefined
    this.#note = ''
    this.#live.start()
    void this.#countWaiting()
    this.requestUpdate()
  }

  /** Evidence does not stay on a screen that nobody is signed in at. */
  #signedOut(): void {
    if (this.#state !== 'in') return
    this.#live.stop()
    this.#me = undefined
    this.#state = 'out'
    this.#note = 'Your sign-in has ended, by time or because your access has changed. Sign in again to go on where you were.'
    this.requestUpdate()
  }

  async #signOut(): Promise<void> {
    this.#live.stop()
    // Before the answer: one that says nobody is signed in is what was wanted.
    this.#state = 'out'
    try {
      await this.#api.signOut()
    } catch (error) {
      // Signed out already, by time or elsewhere: that is what was wanted.
      if (!(error instanceof ApiError) || error.status !== 401) {
        this.#state = 'failed'
        this.#problem = `You are still signed in: ${error instanceof Error ? error.message : String(error)}`
        this.requestUpdate()
        return
      }
    }
    this.#me = undefined
    this.#state = 'out'
    this.requestUpdate()
  }

  async #countWaiting(): Promise<void> {
    try {
      const { approvals } = await this.#api.approvals({ state: 'pending', limit: 100 })
      this.#waiting = approvals.length
      this.#uncounted = ''
    } catch (error) {
      this.#uncounted = error instanceof Error ? error.message : String(error)
    }
    this.requestUpdate()
  }

  #heard({ event }: ServerEvent): void {
    if (event === 'approval' || event === 'reset') void this.#countWaiting()
  }

  #arrived(): void {
    // A link that is opened where the console is open already changes only the fragment.
    this.#takeLink()
    if (this.#link !== undefined && this.#state === 'in') this.#state = 'out'
    this.#route = routeOf(new URL(location.href))
    this.requestUpdate()
  }

  #go(path: string): void {
    history.pushState(null, '', path)
    this.#arrived()
  }

  /** The list of keys, on every page; a replay has one of its own. */
  readonly #pressed = (event: KeyboardEvent): void => {
    const { target } = event
    const typing =
      target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
    if (event.key !== '?' || typing || this.#state !== 'in' || this.#route.page === 'replay') return
    if (document.querySelector('dialog[open]') !== null) return
    event.preventDefault()
    this.#help = true
    this.requestUpdate()
  }

  /** Links within the console change the page, not the document. */
  readonly #clicked = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return
    const target = event.target
    const link = target instanceof Element ? target.closest('a') : null
    if (link === null || link.origin !== location.origin || link.target !== '' || link.pathname.startsWith('/api/')) return
    if (link.getAttribute('href')?.startsWith('#') === true) return
    event.preventDefault()
    this.#go(link.pathname + link.search + link.hash)
  }

  protected override updated(): void {
    const titles: Partial<Record<Route['page'], string>> = {
      sessions: 'Sessions · Sallyport',
      search: 'Search · Sallyport',
      findings: 'Findings · Sallyport',
      approvals: 'Approvals · Sallyport',
      bundles: 'Audit bundles · Sallyport',
      cases: 'Cases · Sallyport',
      compare: 'Compare · Sallyport',
      evidence: 'Evidence · Sallyport',
      policy: 'Policy · Sallyport',
    }
    const help = this.querySelector<HTMLDialogElement>('dialog.key-help')
    if (help?.open === false) help.showModal()
    // Whoever has the console open behind other pages sees that somebody waits.
    const waiting = this.#state === 'in' && this.#waiting > 0 ? `(${this.#waiting}) ` : ''
    const own = this.#state === 'in' ? titles[this.#route.page] : 'Sign in · Sallyport'
    document.title = waiting + (own ?? document.title.replace(/^\(\d+\) /, ''))
    this.#showPlace()
  }

  /** Where the bar is narrower than its links, the one of this page is in sight. */
  #showPlace(): void {
    if (this.#shown === this.#route.page) return
    const link = this.querySelector('.bar nav a[aria-current]')
    link?.scrollIntoView({ block: 'nearest', inline: 'center' })
    this.#shown = link === null ? undefined : this.#route.page
  }

  protected override render(): TemplateResult {
    switch (this.#state) {
      case 'asking':
        // A recording is opened while the server says who asks: if it is nobody, it says so to both.
        return this.#route.page === 'replay' ? this.#inside() : loading('Opening the console …')
      case 'failed':
        return html`<main class="page" id="main">${failure(this.#problem, () => void this.#askWho())}</main>`
      case 'out':
        return html`<sign-in-page .api=${this.#api} .link=${this.#link} .note=${this.#note} .failed=${this.#failed} @signed-in=${(event: SignedInEvent) => this.#signedIn(event.me)}></sign-in-page>`
      case 'in':
        return this.#inside()
      default:
        return this.#state satisfies never
    }
  }

  /** One template for whoever is in and whoever may turn out to be: of two, the second would take the page down and open it again. */
  #inside(): TemplateResult {
    const close = (): void => {
      this.#help = false
      this.requestUpdate()
    }
    return html`${this.#bar()}${this.#page()}${this.#help ? keyHelp(close) : nothing}`
  }

  #bar(): TemplateResult {
    const { page } = this.#route
    const link = (to: string, name: string, on: boolean, more: TemplateResult | typeof nothing = nothing): TemplateResult =>
      html`<a href=${to} aria-current=${on ? 'page' : nothing}>${name}${more}</a>`
    return html`<a class="skip" href="#main">Skip to the content</a>
      <header class="bar">
        <a class="brand" href="/sessions"><span class="logo" aria-hidden="true"></span>Sallyport</a>
        <nav aria-label="Console">
          ${link('/sessions', 'Sessions', page === 'sessions' || page === 'replay')}
          ${link('/search', 'Search', page === 'search')}
          ${link('/findings', 'Findings', page === 'findings')}
          ${link('/approvals', 'Approvals', page === 'approvals', this.#waitingMark())}
          ${this.#reads ? link('/cases', 'Cases', page === 'cases') : nothing}
          ${this.#reads ? link('/evidence', 'Evidence', page === 'evidence') : nothing}
          ${this.#audits ? link('/policy', 'Policy', page === 'policy') : nothing}
          ${this.#audits ? link('/bundles', 'Bundles', page === 'bundles') : nothing}
        </nav>
        <span class="line-state" role="status">${this.#me === undefined ? nothing : this.#live.up ? html`<i class="dot on" aria-hidden="true"></i>live` : html`<i class="dot" aria-hidden="true"></i>reconnecting`}</span>
        <span class="me" title=${this.#me?.roles.join(', ') ?? ''}>${safeLine(this.#me?.subject ?? '', 40)}</span>
        <button type="button" class="quiet-button" @click=${() => this.#theme()}>${storedTheme() === 'light' ? 'Dark' : storedTheme() === 'dark' ? 'Light' : 'Theme'}</button>
        <button type="button" class="quiet-button" @click=${() => void this.#signOut()}>Sign out</button>
      </header>`
  }

  #waitingMark(): TemplateResult | typeof nothing {
    if (this.#uncounted !== '')
      return html`<span class="waiting" role="img" aria-label="not known how many wait" title=${this.#uncounted}>?</span>`
    return this.#waiting === 0
      ? nothing
      : html`<span class="waiting" role="img" aria-label="${this.#waiting} waiting">${this.#waiting}</span>`
  }

  /** Whether evidence itself may be seen, and whether all of it. */
  get #reads(): boolean {
    return this.#me?.roles.some((role) => role === 'investigator' || role === 'auditor' || role === 'admin') === true
  }

  get #audits(): boolean {
    return this.#me?.roles.some((role) => role === 'auditor' || role === 'admin') === true
  }

  #theme(): void {
    applyTheme(nextTheme())
    this.requestUpdate()
  }

  #page(): TemplateResult {
    const route = this.#route
    switch (route.page) {
      case 'sessions':
        return html`<sessions-page .api=${this.#api} .live=${this.#live} .filter=${route.filter} @filter=${(event: FilterEvent) => this.#go(sessionsPath(event.filter))}></sessions-page>`
      case 'replay':
        return html`<replay-page .api=${this.#api} .setting=${this.#setting} .session=${route.id} .place=${route.place}></replay-page>`
      case 'bundles':
        return html`<bundles-page .api=${this.#api}></bundles-page>`
      case 'policy':
        return html`<policy-page .api=${this.#api}></policy-page>`
      case 'search':
        return html`<search-page .api=${this.#api} .filter=${route.filter} @filter=${(event: FilterEvent) => this.#go(searchPath(event.filter))}></search-page>`
      case 'findings':
        return html`<findings-page .api=${this.#api} .live=${this.#live} .picked=${route.id}></findings-page>`
      case 'approvals':
        return html`<approvals-page .api=${this.#api} .live=${this.#live} .up=${this.#live.up} .picked=${route.id} @pick=${(event: PickEvent) => this.#go(`/approvals/${encodeURIComponent(event.approval)}`)}></approvals-page>`
      case 'cases': {
        const mayBegin = this.#me?.roles.some((role) => role === 'investigator' || role === 'admin') === true
        return html`<cases-page .api=${this.#api} .picked=${route.id} .mayBegin=${mayBegin} @go=${(event: GoEvent) => this.#go(event.to)}></cases-page>`
      }
      case 'compare':
        return html`<compare-page .api=${this.#api} .left=${route.left} .right=${route.right}></compare-page>`
      case 'evidence':
        if (evidencePath(route.ask) !== evidencePath(this.#ask)) this.#ask = route.ask
        return html`<evidence-page .api=${this.#api} .ask=${this.#ask} .everything=${this.#audits} @custody=${(event: CustodyEvent) => this.#go(evidencePath(event.ask))}></evidence-page>`
      case 'unknown':
        return html`<main class="page" id="main"><div class="empty"><p class="empty-title">There is no such page</p><p><a href="/sessions">All sessions</a></p></div></main>`
      default:
        return route satisfies never
    }
  }
}
customElements.define('sallyport-app', SallyportApp)
