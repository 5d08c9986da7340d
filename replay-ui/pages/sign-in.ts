import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { Me, SignInWays } from '../../schemas/api.ts'
import type { SignInProblem } from '../../schemas/api-names.ts'
import { type Api, ApiError } from '../data/api.ts'
import { safe } from '../elements/safe.ts'

/** In our words: the address it comes from is nobody's text to show. */
const PROBLEMS: Readonly<Record<SignInProblem, string>> = {
  denied: 'The issuer did not prove who you are. Try again; this console’s log says why.',
  'no-role': 'You are known, but have no role here. Whoever runs this console gives roles to groups.',
  late: 'This sign-in was not begun here, or too long ago. Begin again.',
  away: 'The issuer does not answer. Try again in a moment, or sign in with an access key.',
}

/** Told when somebody has signed in. */
export class SignedInEvent extends Event {
  readonly me: Me

  constructor(me: Me) {
    super('signed-in', { bubbles: true })
    this.me = me
  }
}

export interface SignInInput {
  /** A one-time link is being redeemed, or the key is on its way. */
  readonly busy: 'link' | 'key' | null
  readonly problem: string
  /** Why somebody who was in is asked again. */
  readonly note: string
  /** Issuers one may sign in through. */
  readonly ways: SignInWays['ways']
  readonly onSubmit: (event: SubmitEvent) => void
}

export function view({ busy, problem, note, ways, onSubmit }: SignInInput): TemplateResult {
  return html`<main class="sign-in" id="main">
    <form class="card" @submit=${onSubmit} aria-busy=${busy !== null}>
      <h1><span class="logo" aria-hidden="true"></span>Sallyport</h1>
      <p class="muted">Sessions of agents and people, recorded, masked and verifiable.</p>
      ${note === '' ? nothing : html`<p class="notice notice-part" role="status">${note}</p>`}
      ${problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`}
      ${
        busy === 'link'
          ? html`<p role="status"><span class="spinner" aria-hidden="true"></span> Signing in with the one-time link …</p>`
          : html`${ways.map(({ name, href }) => html`<a class="way" href=${href}>${safe(name)}</a>`)}
              ${ways.length === 0 ? nothing : html`<p class="muted or">or</p>`}
              <label for="key">Access key</label>
              <input id="key" name="key" type="password" autocomplete="off" spellcheck="false" required maxlength="4096" ?disabled=${busy !== null} />
              <button type="submit" class="primary" ?disabled=${busy !== null}>${busy === 'key' ? 'Signing in …' : 'Sign in'}</button>
              <p class="hint">Or open a one-time link: <code>sallyport console link</code> prints one. What you look at is noted.</p>`
      }
    </form>
  </main>`
}

export class SignInPage extends LitElement {
  static override properties = {
    api: { attribute: false },
    link: { attribute: false },
    note: { attribute: false },
    failed: { attribute: false },
    busy: { state: true },
    problem: { state: true },
    ways: { state: true },
  }
  declare api: Api
  /** Token of a one-time link, where the address had one. */
  declare link: string | undefined
  declare note: string
  /** What an issuer sent somebody back with. */
  declare failed: SignInProblem | undefined
  declare private ways: SignInWays['ways']
  declare private busy: SignInInput['busy']
  declare private problem: string

  constructor() {
    super()
    this.note = ''
    this.busy = null
    this.problem = ''
    this.ways = []
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override firstUpdated(): void {
    if (this.link === undefined) this.querySelector('input')?.focus()
    void this.#askWays()
  }

  async #askWays(): Promise<void> {
    try {
      this.ways = (await this.api.signInWays()).ways
    } catch (error) {
      // A key is still good; what is wrong shows when it is tried.
      if (!(error instanceof ApiError)) throw error
    }
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('link') && this.link !== undefined) void this.#signIn({ link: this.link }, 'link')
  }

  protected override render(): TemplateResult {
    const { busy, note, ways } = this
    const problem = this.problem === '' && this.failed !== undefined ? PROBLEMS[this.failed] : this.problem
    return view({ busy, problem, note, ways, onSubmit: this.#submitted })
  }

  readonly #submitted = (event: SubmitEvent): void => {
    event.preventDefault()
    const input = this.querySelector('input')
    if (input !== null) void this.#signIn({ key: input.value.trim() }, 'key')
  }

  async #signIn(proof: Parameters<Api['signIn']>[0], busy: 'link' | 'key'): Promise<void> {
    this.busy = busy
    this.problem = ''
    try {
      this.dispatchEvent(new SignedInEvent(await this.api.signIn(proof)))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      this.problem =
        busy === 'link' && error.status === 401
          ? 'This link was used already, or has expired: each works once, for a short time. Ask for another, or sign in with an access key.'
          : error.message
    } finally {
      this.busy = null
    }
  }
}
customElements.define('sign-in-page', SignInPage)
