import { NO_PROMISE } from '../../masking/promised.ts'
import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { SECRET_LABEL } from '../../policy/kubernetes/request-info.ts'
import type { Fields } from '../http/fields.ts'
import { type JsonFields, type Rewrite, redactJson } from '../http/json-body.ts'

/** Holds the whole object as it was applied, values of a Secret among it. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const LAST_APPLIED_KEY = Buffer.from(LAST_APPLIED)
const DATA = Buffer.from('data')
const STRING_DATA = Buffer.from('stringData')
const BINARY_DATA = Buffer.from('binaryData')
const ENV = Buffer.from('env')
const VALUE = Buffer.from('value')
const TOKEN_KEY = Buffer.from('token')

const ENCODED: Field = { path: 'body.data', action: 'mask', label: SECRET_LABEL, entity: 'kubernetes-secret' }
const PLAIN: Field = { path: 'body.stringData', action: 'mask', label: SECRET_LABEL, entity: 'kubernetes-secret' }
/** What stands around the values. */
const IN_DATA: Field = { path: 'body', action: 'scan' }
const IN_STRING_DATA: Field = { path: 'body', action: 'scan' }
/** Not masked for the promise of a key: before who may see it, and where nothing but base64 may stand. */
const SHOWN: Field = { path: 'body.data', action: 'scan', promised: NO_PROMISE }
/** What stands around variables of an environment, and what they are set to. */
const IN_ENV: Field = { path: 'body.env', action: 'scan' }
const ENV_VALUE: Field = { path: 'body.env.value', action: 'scan', promised: NO_PROMISE }
const TOKEN: Field = { path: 'body.token', action: 'mask', label: SECRET_LABEL, entity: 'kubernetes-secret' }
const PATCHED: Field = { path: 'body.value', action: 'mask', label: SECRET_LABEL, entity: 'kubernetes-secret' }
const NESTED: Field = { path: 'body.last-applied-configuration', action: 'scan' }
const TEXT: Field = { path: 'body', action: 'scan' }

/** `secrets`: bodies are Secrets, or may hold some. `patches`: or operations on one. `tokens`: a token is asked for. */
export type Holds = 'secrets' | 'patches' | 'tokens' | 'objects'

/**
 * How values of Kubernetes objects are treated: those of Secrets are masked whole, base64 again where it was base64, and what an annotation
 * quotes is read like the object itself; every other value as in any JSON.
 */
export class SecretFields implements JsonFields {
  readonly labelled = true
  readonly unreadable?: Field
  readonly #named: Fields
  readonly #holds: Holds
  /** What bodies hold, to somebody who may see it. */
  readonly #shows: Holds

  constructor(named: Fields, holds: Holds) {
    this.#named = named
    const exempt = named.exempts(SECRET_LABEL)
    this.#holds = exempt ? 'objects' : holds
    this.#shows = exempt ? holds : 'objects'
    // What is no JSON cannot be looked into by its keys.
    if (this.#holds !== 'objects') this.unreadable = PLAIN
  }

  get unnamed(): Field {
    return this.#named.unnamed
  }

  at(source: Uint8Array, from: number, to: number, inside?: Field): Field {
    if (is(LAST_APPLIED_KEY, source, from, to)) return NESTED
    if (this.#holds === 'patches' && (inside === PATCHED || is(VALUE, source, from, to))) return PATCHED
    if (this.#holds === 'secrets' || this.#holds === 'patches') {
      if (inside === IN_DATA || inside === ENCODED) return ENCODED
      if (inside === IN_STRING_DATA || inside === PLAIN) return PLAIN
      if (is(DATA, source, from, to)) return IN_DATA
      if (is(STRING_DATA, source, from, to)) return IN_STRING_DATA
    }
    if (this.#holds === 'tokens' && is(TOKEN_KEY, source, from, to)) return TOKEN
    const own = this.#named.at(source, from, to, inside)
    if (own.action !== 'scan') return own
    if (inside === SHOWN || this.#isShown(source, from, to)) return SHOWN
    if (inside === IN_ENV && is(VALUE, source, from, to)) return ENV_VALUE
    return is(ENV, source, from, to) ? IN_ENV : own
  }

  #isShown(source: Uint8Array, from: number, to: number): boolean {
    const shows = this.#shows === 'secrets' || this.#shows === 'patches'
    if (shows && (is(DATA, source, from, to) || is(STRING_DATA, source, from, to))) return true
    return is(BINARY_DATA, source, from, to) || (this.#shows === 'tokens' && is(TOKEN_KEY, source, from, to))
  }

  of(key: string): Field {
    return this.#named.of(key)
  }

  byName(field: Field): Field | undefined {
    return field === ENV_VALUE ? IN_ENV : undefined
  }

  rewrite(field: Field): Rewrite | undefined {
    if (field === ENCODED) return encoded
    return field === NESTED ? this.#nested : undefined
  }

  readonly #nested = (redactor: Redactor, sink: RedactionSink, plain: Uint8Array): void => {
    if (!redactJson(redactor, sink, [plain, 0, plain.length], { fields: this }))
      redactor.write(sink, plain, 0, plain.length, this.unreadable ?? TEXT)
  }
}

/** Clients decode what stands in `data`: a mask has to be base64 as well. */
function encoded(redactor: Redactor, sink: RedactionSink, plain: Uint8Array): void {
  const masked = redactor.sink(plain.length)
  redactor.write(masked, plain, 0, plain.length, ENCODED)
  sink.append(masked.finish(), (bytes) => Buffer.from(Buffer.from(bytes).toString('base64')))
}

function is(key: Uint8Array, source: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false
  for (let at = 0; at < key.length; at++) if (key[at] !== source[from + at]) return false
  return true
}
