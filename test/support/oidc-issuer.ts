import { createServer } from 'node:http'
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
}

/** A real OpenID Connect server on loopback, whose people sign in under any password. */
export async function oidcIssuer(): Promise<OidcIssuer> {
  let handler: ReturnType<Provider['callback']> | undefined
  const server = createServer((request, response) => {
    if (handler === undefined || made.away) response.writeHead(503).end()
    else handler(request, response)
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
    open(redirectUri) {
      handler = new Provider(issuer, configuration(redirectUri, secret, people)).callback()
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return made
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

  /** Confirms a device's code as `subject`, through whatever pages there are. */
  async confirmDevice(address: string, subject: string): Promise<void> {
    let page = await (await this.ask(address)).text()
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1] ?? ''
    const hidden = Object.fromEntries(
      [...page.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map(([, k = '', v = '']) => [k, v]),
    )
    let answer = await this.ask(new URL(action, address).href, { ...hidden, confirm: 'yes' })
    let at = new URL(action, address).href
    for (let hops = 0; hops < 20; hops++) {
      if (answer.headers.get('location') === null) {
        page = await answer.text()
        if (!page.includes('name="prompt"')) return
        at = await this.#next(at, new Response(page), subject)
      } else at = await this.#next(at, answer, subject)
      answer = await this.ask(at)
    }
    throw new Error(`still not there at ${at}`)
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
