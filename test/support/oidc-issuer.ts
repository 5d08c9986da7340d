import { createServer, type ServerResponse } from 'node:http'
import Provider, { type AccountClaims, type Configuration } from 'oidc-provider'

export const CLIENT_ID = 'sallyport-console'

export interface OidcIssuer extends AsyncDisposable {
  readonly issuer: string
  readonly secret: string
  /** By subject: the claims of its ID tokens. */
  readonly people: Map<string, Readonly<Record<string, unknown>>>
  /** Opens it for a client that is sent back to this address; until then nothing answers. */
  open(redirectUri: string): void
  /** Answers nothing any more, or again. */
  away: boolean
  /** So many of the next questions whether a code was confirmed are answered with `slow_down`. */
  slowDowns: number
  /** How long the codes of devices live. */
  codeLifeS: number
}

/** A real OpenID Connect server on loopback, whose people sign in under any password. */
export async function oidcIssuer(): Promise<OidcIssuer> {
  let handler: ReturnType<Provider['callback']> | undefined
  const server = createServer((request, response) => {
    if (handler === undefined || made.away) {
      response.writeHead(503).end()
      return
    }
    if (request.url === '/device/auth') askOften(response)
    if (request.url === '/token' && made.slowDowns > 0) {
      made.slowDowns--
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"slow_down"}')
    } else handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  const issuer = `http://127.0.0.1:${address.port}`
  const people = new Map<string, Readonly<Record<string, unknown>>>()
  const secret = ['oidc', 'client', 'secret'].join('-')
  const made: OidcIssuer = {
    issuer,
    secret,
    people,
    away: false,
    slowDowns: 0,
    codeLifeS: 600,
    open(redirectUri) {
      const { ttl, ...rest } = configuration(redirectUri, secret, people)
      handler = new Provider(issuer, { ...rest, ttl: { ...ttl, DeviceCode: () => made.codeLifeS } }).callback()
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return made
}

/** Devices may ask every second whether their code was confirmed; without a word of it every five. */
function askOften(response: ServerResponse): void {
  const end = response.end.bind(response)
  Reflect.set(response, 'end', (body: Buffer | string) => {
    const text = JSON.stringify({ ...JSON.parse(String(body)), interval: 1 })
    response.setHeader('content-length', Buffer.byteLength(text))
    return end(text)
  })
}

function configuration(redirectUri: string, secret: string, people: OidcIssuer['people']): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: secret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        client_id: `${CLIENT_ID}-cli`,
        redirect_uris: [],
        response_types: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
        scope: 'openid profile offline_access',
        application_type: 'native',
      },
    ],
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], profile: ['oid', 'roles', 'groups', '_claim_names', 'hasgroups', 'preferred_username', 'idtyp'] },
    features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
    cookies: { keys: ['keys-of-a-test'] },
    findAccount: (_context, sub) => ({
      accountId: sub,
      claims: async (): Promise<AccountClaims> => ({ sub, ...people.get(sub) }),
    }),
    ttl: { AccessToken: 600, IdToken: 600, Interaction: 600, Session: 600, Grant: 600, DeviceCode: 600 },
  }
}

/** A browser's way through redirects and the issuer's pages, with the cookies of each origin. */
export class Wanderer {
  readonly #cookies = new Map<string, Map<string, string>>()

  cookie(origin: string): string {
    return [...(this.#cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** One request, whose cookies are kept; redirects are not followed. */
  async ask(address: string, form?: Readonly<Record<string, string>>): Promise<Response> {
    const { origin } = new URL(address)
    const response = await fetch(address, {
      redirect: 'manual',
      headers: { cookie: this.cookie(origin) },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    })
    const kept = this.#cookies.get(origin) ?? new Map<string, string>()
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s)
      if (value === '' || /Max-Age=0|expires=Thu, 01 Jan 1970/i.test(line)) kept.delete(name)
      else kept.set(name, value)
    }
    this.#cookies.set(origin, kept)
    return response
  }

  /** Follows redirects and signs in as `subject` where it is asked; ends at the first address that `stop` is true of, unasked. */
  async follow(address: string, subject: string, stop: (address: string) => boolean): Promise<string> {
    let at = address
    for (let hops = 0; hops < 20; hops++) {
      if (stop(at)) return at
      const response = await this.ask(at)
      at = await this.#next(at, response, subject)
    }
    throw new Error(`still not there at ${at}`)
  }

  /** Says no to a device's code. */
  async refuseDevice(address: string): Promise<void> {
    const { action, hidden } = await this.#deviceForm(address)
    await this.ask(action, { ...hidden, abort: 'yes' })
  }

  /** Confirms a device's code as `subject`, through whatever pages there are. */
  async confirmDevice(address: string, subject: string): Promise<void> {
    const { action, hidden } = await this.#deviceForm(address)
    let answer = await this.ask(action, { ...hidden, confirm: 'yes' })
    let at = action
    for (let hops = 0; hops < 20; hops++) {
      if (answer.headers.get('location') === null) {
        const page = await answer.text()
        if (!page.includes('name="prompt"')) return
        at = await this.#next(at, new Response(page), subject)
      } else at = await this.#next(at, answer, subject)
      answer = await this.ask(at)
    }
    throw new Error(`still not there at ${at}`)
  }

  async #deviceForm(address: string): Promise<{ readonly action: string; readonly hidden: Readonly<Record<string, string>> }> {
    const page = await (await this.ask(address)).text()
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1] ?? ''
    const hidden = Object.fromEntries(
      [...page.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map(([, k = '', v = '']) => [k, v]),
    )
    return { action: new URL(action, address).href, hidden }
  }

  async #next(at: string, response: Response, subject: string): Promise<string> {
    const location = response.headers.get('location')
    if (location !== null) return new URL(location, at).href
    const page = await response.text()
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1]
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
    if (action === undefined || prompt === undefined) throw new Error(`${response.status} of ${at}: ${page.slice(0, 500)}`)
    const answer = await this.ask(new URL(action, at).href, { prompt, login: subject, password: 'x' })
    const next = answer.headers.get('location')
    if (next === null) throw new Error(`${answer.status} of ${action}`)
    return new URL(next, at).href
  }
}
