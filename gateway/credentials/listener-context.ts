import { createSecureContext, type SecureContext } from 'node:tls'
import type { TlsTerms } from '../../schemas/config-parts.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type ListenerIdentity, listenerIdentity } from './listener-tls.ts'

/** Whoever renews certificates writes certificate and key one after the other: half of it is looked at again then. */
const LOOK_EVERY_MS = 15_000

export interface ListenerFiles extends TlsTerms {
  readonly certFile?: string
  readonly keyFile?: string
}

interface Made {
  readonly identity: ListenerIdentity
  readonly context: SecureContext
}

export interface ListenerContextParts {
  readonly keysDir: string
  readonly gateway: string
  /** A certificate was renewed, or what lies there now cannot be used and the one before stays; said once for each. */
  readonly onNews: (news: string) => void
  readonly lookEveryMs?: number
}

/**
 * What a listener shows those who come over TLS. Configured files are read again while it runs, so that a renewed certificate needs no
 * restart: connections that are open keep theirs.
 */
export class ListenerContext implements Disposable {
  readonly #files: ListenerFiles
  readonly #parts: ListenerContextParts
  readonly #followers = new Set<(options: ListenerIdentity & TlsTerms) => void>()
  readonly #timer: NodeJS.Timeout | undefined
  #made: Made
  #told = ''

  private constructor(files: ListenerFiles, parts: ListenerContextParts, made: Made) {
    this.#files = files
    this.#parts = parts
    this.#made = made
    if (files.certFile !== undefined)
      this.#timer = setInterval(() => void this.#look(), parts.lookEveryMs ?? LOOK_EVERY_MS).unref()
  }

  /** Rejects CONFIG_INVALID where certificate, key or ciphers cannot be used. */
  static async open(files: ListenerFiles, parts: ListenerContextParts): Promise<ListenerContext> {
    return new ListenerContext(files, parts, await make(files, parts))
  }

  get current(): SecureContext {
    return this.#made.context
  }

  /** For a server that makes its contexts itself. */
  get options(): ListenerIdentity & TlsTerms {
    return { ...this.#made.identity, ...termsOf(this.#files) }
  }

  /** Called with what is to be used from then on, whenever it changes. */
  follow(renewed: (options: ListenerIdentity & TlsTerms) => void): void {
    this.#followers.add(renewed)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      const made = await make(this.#files, this.#parts)
      if (made.identity.cert !== this.#made.identity.cert || made.identity.key !== this.#made.identity.key) {
        this.#made = made
        for (const follower of this.#followers) follower(this.options)
        this.#tell(`${this.#files.certFile}: the certificate was renewed`)
      }
      this.#told = ''
    } catch (error) {
      this.#tell(`the certificate before stays in use: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #tell(news: string): void {
    if (news !== this.#told) this.#parts.onNews(news)
    this.#told = news
  }
}

async function make(files: ListenerFiles, parts: ListenerContextParts): Promise<Made> {
  const identity = await listenerIdentity(files, parts)
  return { identity, context: contextOf(files, identity) }
}

/** Throws CONFIG_INVALID for suites that OpenSSL does not know. `identity` is one that can be used. */
export function contextOf(terms: TlsTerms, identity?: ListenerIdentity): SecureContext {
  try {
    return createSecureContext({ ...identity, ...termsOf(terms) })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ApplianceError('CONFIG_INVALID', `tls.ciphers "${terms.ciphers ?? ''}" cannot be used: ${why}`)
  }
}

/** TLS 1.0 and 1.1 are spoken by nobody here. */
function termsOf({ minVersion = 'TLSv1.2', ciphers }: TlsTerms): TlsTerms {
  return { minVersion, ...(ciphers === undefined ? {} : { ciphers }) }
}
