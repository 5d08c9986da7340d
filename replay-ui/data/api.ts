import type {
  AccessAsk,
  AccessTargets,
  ApprovalPage,
  ApprovalQuery,
  ApprovalView,
  BundleAsk,
  BundleJob,
  BundleJobs,
  CaseChange,
  CaseList,
  CaseView,
  CustodyPage,
  CustodyQuery,
  DecisionAsk,
  FindingExplained,
  FindingPage,
  FindingView,
  Kill,
  KillAnswer,
  LedgerState,
  Me,
  PolicyState,
  PolicyText,
  PolicyTrial,
  PolicyTried,
  ProblemDetails,
  PullTotals,
  SavedSearchAsk,
  SavedSearches,
  ScreenAnswer,
  ScreenQuery,
  SearchPage,
  ServerEvent,
  SessionBookmarks,
  SessionDetail,
  SessionPage,
  SessionQuery,
  SignIn,
  SignInWays,
  SimilarApprovals,
  StatementPage,
  StatementQuery,
  SummaryText,
  TapeObjects,
  Trust,
  VerificationNote,
  VerificationNoted,
} from '../../schemas/api.ts'
import { API_BASE, CSRF_HEADER, PURPOSE_HEADER, SERVER_EVENT_NAMES } from '../../schemas/api-names.ts'
import type { DispositionState, FindingQuery } from '../../schemas/findings.ts'
import type { PullQuery, SearchQuery } from '../../schemas/search.ts'

/** A line that was refused is tried again after this. */
const REOPEN_MS = 5_000

/** What the API refused, in its own words; `unreachable` where it did not answer at all. */
export class ApiError extends Error {
  readonly code: ProblemDetails['code'] | 'unreachable'
  readonly status: number

  constructor(code: ApiError['code'], status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApiError'
    this.code = code
    this.status = status
  }

  /** Whether the same may be answered when it is asked again: a server that is busy or starting, and no question that is wrong. */
  get wouldHelp(): boolean {
    return this.status < 400 || this.status >= 500 || this.status === 408 || this.status === 429
  }
}

export interface ApiOptions {
  /** Default: where the page comes from. */
  readonly origin?: string
  /** Asked at each call, as it changes at sign-in. */
  readonly csrf?: () => string | null
  /** Why evidence is looked at; noted by the server. */
  readonly purpose?: string
  /** Nobody is signed in any more: the time is over, or the key was revoked. */
  readonly onSignedOut?: () => void
}

/** The one place that talks to the server. Answers come from our own server, checked by it with the same schemas, and are trusted in shape; never in text. */
export class Api {
  readonly #options: ApiOptions

  constructor(options: ApiOptions = {}) {
    this.#options = options
  }

  signIn(proof: SignIn): Promise<Me> {
    return this.#json<Me>('POST', '/sign-in', proof)
  }

  signInWays(): Promise<SignInWays> {
    return this.#json<SignInWays>('GET', '/sign-in')
  }

  async signOut(): Promise<void> {
    await this.#send('POST', '/sign-out')
  }

  me(signal?: AbortSignal): Promise<Me> {
    return this.#json<Me>('GET', '/me', undefined, signal)
  }

  sessions(query: SessionQuery, signal?: AbortSignal): Promise<SessionPage> {
    return this.#json<SessionPage>('GET', `/sessions${queryText(query)}`, undefined, signal)
  }

  search(query: SearchQuery, signal?: AbortSignal): Promise<SearchPage> {
    return this.#json<SearchPage>('GET', `/search${queryText(query)}`, undefined, signal)
  }

  pulls(query: PullQuery, signal?: AbortSignal): Promise<PullTotals> {
    return this.#json<PullTotals>('GET', `/pulls${queryText(query)}`, undefined, signal)
  }

  findings(query: FindingQuery, signal?: AbortSignal): Promise<FindingPage> {
    return this.#json<FindingPage>('GET', `/findings${queryText(query)}`, undefined, signal)
  }

  finding(id: string, signal?: AbortSignal): Promise<FindingView> {
    return this.#json<FindingView>('GET', `/findings/${encodeURIComponent(id)}`, undefined, signal)
  }

  explainFinding(id: string, signal?: AbortSignal): Promise<FindingExplained> {
    return this.#json<FindingExplained>('GET', `/findings/${encodeURIComponent(id)}/explain`, undefined, signal)
  }

  disposeFinding(id: string, ask: { readonly state: DispositionState; readonly reason: string }): Promise<FindingView> {
    return this.#json<FindingView>('POST', `/findings/${encodeURIComponent(id)}/disposition`, ask)
  }

  session(id: string, signal?: AbortSignal): Promise<SessionDetail> {
    return this.#json<SessionDetail>('GET', `/sessions/${encodeURIComponent(id)}`, undefined, signal)
  }

  statements(id: string, query: StatementQuery, signal?: AbortSignal): Promise<StatementPage> {
    return this.#json<StatementPage>(
      'GET',
      `/sessions/${encodeURIComponent(id)}/statements${queryText(query)}`,
      undefined,
      signal,
    )
  }

  screen(id: string, query: ScreenQuery, signal?: AbortSignal): Promise<ScreenAnswer> {
    return this.#json<ScreenAnswer>('GET', `/sessions/${encodeURIComponent(id)}/screen${queryText(query)}`, undefined, signal)
  }

  kill(id: string, ask: Kill): Promise<KillAnswer> {
    return this.#json<KillAnswer>('POST', `/sessions/${encodeURIComponent(id)}/kill`, ask)
  }

  summarise(id: string, signal?: AbortSignal): Promise<SummaryText> {
    return this.#json<SummaryText>('POST', `/sessions/${encodeURIComponent(id)}/summary`, {}, signal)
  }

  noteVerification(id: string, made: VerificationNote): Promise<VerificationNoted> {
    return this.#json<VerificationNoted>('POST', `/sessions/${encodeURIComponent(id)}/verification`, made)
  }

  trust(signal?: AbortSignal): Promise<Trust> {
    return this.#json<Trust>('GET', '/trust', undefined, signal)
  }

  bundles(signal?: AbortSignal): Promise<BundleJobs> {
    return this.#json<BundleJobs>('GET', '/bundles', undefined, signal)
  }

  startBundle(ask: BundleAsk): Promise<BundleJob> {
    return this.#json<BundleJob>('POST', '/bundles', ask)
  }

  policy(signal?: AbortSignal): Promise<PolicyState> {
    return this.#json<PolicyState>('GET', '/policy', undefined, signal)
  }

  policyText(policy: string, signal?: AbortSignal): Promise<PolicyText> {
    return this.#json<PolicyText>('GET', `/policies/${encodeURIComponent(policy)}`, undefined, signal)
  }

  tryPolicy(ask: PolicyTrial): Promise<PolicyTried> {
    return this.#json<PolicyTried>('POST', '/policy/try', ask)
  }

  custody(query: CustodyQuery, signal?: AbortSignal): Promise<CustodyPage> {
    return this.#json<CustodyPage>('GET', `/custody${queryText(query)}`, undefined, signal)
  }

  ledgerState(signal?: AbortSignal): Promise<LedgerState> {
    return this.#json<LedgerState>('GET', '/ledger', undefined, signal)
  }

  cases(signal?: AbortSignal): Promise<CaseList> {
    return this.#json<CaseList>('GET', '/cases', undefined, signal)
  }

  caseView(id: string, signal?: AbortSignal): Promise<CaseView> {
    return this.#json<CaseView>('GET', `/cases/${encodeURIComponent(id)}`, undefined, signal)
  }

  createCase(title: string): Promise<CaseView> {
    return this.#json<CaseView>('POST', '/cases', { title })
  }

  changeCase(id: string, change: CaseChange): Promise<CaseView> {
    return this.#json<CaseView>('POST', `/cases/${encodeURIComponent(id)}/changes`, change)
  }

  bookmarks(session: string, signal?: AbortSignal): Promise<SessionBookmarks> {
    return this.#json<SessionBookmarks>('GET', `/sessions/${encodeURIComponent(session)}/bookmarks`, undefined, signal)
  }

  savedSearches(signal?: AbortSignal): Promise<SavedSearches> {
    return this.#json<SavedSearches>('GET', '/saved-searches', undefined, signal)
  }

  saveSearch(ask: SavedSearchAsk): Promise<SavedSearches> {
    return this.#json<SavedSearches>('POST', '/saved-searches', ask)
  }

  removeSearch(id: string): Promise<SavedSearches> {
    return this.#json<SavedSearches>('POST', `/saved-searches/${encodeURIComponent(id)}/removal`, {})
  }

  approvals(query: ApprovalQuery, signal?: AbortSignal): Promise<ApprovalPage> {
    return this.#json<ApprovalPage>('GET', `/approvals${queryText(query)}`, undefined, signal)
  }

  approval(id: string, signal?: AbortSignal): Promise<ApprovalView> {
    return this.#json<ApprovalView>('GET', `/approvals/${encodeURIComponent(id)}`, undefined, signal)
  }

  decide(id: string, ask: DecisionAsk): Promise<ApprovalView> {
    return this.#json<ApprovalView>('POST', `/approvals/${encodeURIComponent(id)}/decision`, ask)
  }

  similar(id: string, signal?: AbortSignal): Promise<SimilarApprovals> {
    return this.#json<SimilarApprovals>('GET', `/approvals/${encodeURIComponent(id)}/similar`, undefined, signal)
  }

  review(id: string, note: string): Promise<ApprovalView> {
    return this.#json<ApprovalView>('POST', `/approvals/${encodeURIComponent(id)}/review`, { note })
  }

  endApproval(id: string, reason?: string): Promise<ApprovalView> {
    return this.#json<ApprovalView>('POST', `/approvals/${encodeURIComponent(id)}/end`, reason === undefined ? {} : { reason })
  }

  accessTargets(signal?: AbortSignal): Promise<AccessTargets> {
    return this.#json<AccessTargets>('GET', '/access', undefined, signal)
  }

  askAccess(wish: AccessAsk): Promise<ApprovalView> {
    return this.#json<ApprovalView>('POST', '/access', wish)
  }

  objects(id: string, signal?: AbortSignal): Promise<TapeObjects> {
    return this.#json<TapeObjects>('GET', `/sessions/${encodeURIComponent(id)}/objects`, undefined, signal)
  }

  /** Bytes [from, to) of a tape's object, or as many of them as there are. */
  async object(
    id: string,
    name: string,
    range?: { readonly from: number; readonly to: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    if (range !== undefined && range.to <= range.from) return new Uint8Array(0)
    const path = `/sessions/${encodeURIComponent(id)}/objects/${encodeURIComponent(name)}`
    // The first byte wanted is 0-based and the last is included (RFC 9110 section 14.1.2).
    const headers = range === undefined ? {} : { Range: `bytes=${range.from}-${range.to - 1}` }
    const response = await this.#send('GET', path, undefined, signal, headers)
    const bytes = new Uint8Array(await response.arrayBuffer())
    return range !== undefined && response.status === 200 ? bytes.subarray(range.from, range.to) : bytes
  }

  /** Server-sent events of all sessions, or of one; ends with the signal. Reconnects by itself. `onState` tells when the line is down. */
  events(
    path: 'all' | { readonly session: string },
    onEvent: (event: ServerEvent) => void,
    onState: (up: boolean) => void,
    signal: AbortSignal,
  ): void {
    const below = path === 'all' ? '/events' : `/sessions/${encodeURIComponent(path.session)}/live`
    let source: EventSource
    let again: ReturnType<typeof setTimeout> | undefined
    const open = (): void => {
      source = new EventSource(`${this.#options.origin ?? ''}${API_BASE}${below}`)
      for (const name of SERVER_EVENT_NAMES) {
        // `event` and `data` belong together: the server sends each name with its own schema.
        source.addEventListener(name, (message) => onEvent({ event: name, data: JSON.parse(message.data) } as ServerEvent))
      }
      source.addEventListener('open', () => onState(true))
      source.addEventListener('error', () => {
        onState(false)
        // A browser comes back by itself to a line that broke, and never to one that was refused: a server that starts, a sign-in that ended.
        if (source.readyState !== EventSource.CLOSED) return
        again = setTimeout(open, REOPEN_MS)
        // Says so to whoever must know, when nobody is signed in any more.
        void this.me(signal).catch(() => undefined)
      })
    }
    open()
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(again)
        source.close()
      },
      { once: true },
    )
  }

  async #json<T>(method: 'GET' | 'POST', path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const response = await this.#send(method, path, body, signal)
    return (await response.json()) as T
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { origin = '', csrf, purpose } = this.#options
    const token = method === 'GET' ? null : (csrf?.() ?? null)
    const headers = {
      ...more,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === null ? {} : { [CSRF_HEADER]: token }),
      ...(purpose === undefined ? {} : { [PURPOSE_HEADER]: encodeURIComponent(purpose) }),
    }
    let response: Response
    try {
      response = await fetch(`${origin}${API_BASE}${path}`, {
        method,
        headers,
        credentials: 'same-origin',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw new ApiError('unreachable', 0, 'The server cannot be reached.', { cause: error })
    }
    if (!response.ok) {
      const problem = await problemOf(response)
      if (problem.code === 'AUTH_REQUIRED') this.#options.onSignedOut?.()
      throw problem
    }
    return response
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  try {
    const problem: Partial<ProblemDetails> = await response.json()
    if (typeof problem.detail === 'string' && problem.code !== undefined)
      return new ApiError(problem.code, response.status, problem.detail)
  } catch {
    // Not a problem document: a proxy in between, or a server that is going down.
  }
  return new ApiError('unreachable', response.status, `The server answered ${response.status} without saying why.`)
}

function queryText(query: object): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}
