import type { Facts } from '../../../schemas/frame.ts'
import { operationsOf } from './graphql.ts'

/** Bodies beyond this are not looked into for what they call. */
const MAX_CALL_BYTES = 1024 * 1024
/** Of each kind; with more, or a longer one, what is called counts as unread. */
const MAX_NAMES = 100
const MAX_NAME_LENGTH = 200

const JSON_TYPE = /[/+]json/i
const GRAPHQL_TYPE = /\/graphql$/i
const FORM_TYPE = /\/x-www-form-urlencoded$/i
/** Of which the beginning does not say that they call nothing. */
const ANYWHERE_TYPE = /[/+]json|\/graphql$|\/x-www-form-urlencoded$|^multipart\//i
/** In which calls are made by other methods than POST; whatever is POSTed may be one. */
const CALLING_TYPE = /json|graphql|x-www-form-urlencoded/i
/** UTF-16 or UTF-32 of what begins like JSON. */
const WIDE = /^(?:\xff\xfe|\xfe\xff|\0\0\xfe\xff)?(?:\0{0,3}[\t\n\r ])*\0{0,3}[{[]\0?/
const BLANK = /^[\0\t\n\r \xfe\xff]*$/
/** GraphQL's multipart requests have their operations in a part of that name. */
const PART = /name="?operations"?/i
/** Names in heads of parts that their readers may take for it: encoded, escaped, or written with blanks. */
const ODD_PART = /^content-disposition\s*:(?:[^\r\n]|\r?\n[ \t])*(?<![a-z])name(?:\*|\s+=|=\s|="[^"\r\n]*\\)/im
/** A document among the values of a query or form, where a word to search for may stand as well. */
const DOCUMENT = /^[\s,\ufeff]*(?:#|\{|(?:query|mutation|subscription|fragment)\b[\s\S]*\{)/

const BEGUN = /^[\s,\ufeff]*(?:query|mutation|subscription|fragment)\b[\s\S]*\{/
/** Without any of them JSON calls nothing; any of them may be written in escapes. */
const CALL_WORDS = /method|query|payload|\\u/i

/** What a body, or a message of a WebSocket, is sent as. */
interface Sent {
  readonly contentType?: string
  /** The query of the request's target. */
  readonly query?: string
  readonly method?: string
  /** What is there of a body that follows in parts. */
  readonly beginning?: Uint8Array | undefined
}

/**
 * What a request calls, where its body or query says it more exactly than the path does: GraphQL's operations, or JSON-RPC's methods and with them MCP tools.
 * `unread_calls` says why where all of it cannot be told. `body`: undefined where it follows in parts.
 */
export function callFacts(body: Uint8Array | undefined, { contentType = '', query = '', method, beginning }: Sent = {}): Facts {
  const calls = new Calls()
  calls.parameters(query)
  const calling = method === 'POST' || CALLING_TYPE.test(contentType)
  if (body === undefined) {
    // What a body of GET, or one without a type, is for nobody knows but its reader.
    const unsaid = method === 'GET' || method === 'HEAD' || contentType === ''
    if ((calling || unsaid) && (beginning === undefined ? calling : mayCall(bufferOf(beginning), contentType)))
      calls.unread = 'what it calls follows in parts'
    return calls.facts()
  }
  if (body.length === 0) return calls.facts()
  const text = bufferOf(body)
  const json = JSON_TYPE.test(contentType) || beginsLikeJson(text)
  const first = text.toString('latin1', 0, MAX_WIDE)
  const wide = WIDE.exec(first)?.[0]
  if (wide !== undefined && /[\0\xfe\xff]/.test(wide)) calls.unread = 'what it calls is not in UTF-8'
  else if (!json && calling && first.length === MAX_WIDE && BLANK.test(first))
    calls.unread = 'what it calls stands behind too many blanks'
  else if (body.length > MAX_CALL_BYTES) {
    if (json || calling) calls.unread = `what it calls may be in a body above ${MAX_CALL_BYTES} bytes`
  } else if (json) {
    const valid = calls.json(text.toString())
    return { ...(valid || !JSON_TYPE.test(contentType) ? {} : { malformed_json: true }), ...calls.facts() }
  } else if (GRAPHQL_TYPE.test(contentType)) calls.document(text.toString())
  else if (FORM_TYPE.test(contentType)) calls.parameters(text.toString())
  else if (contentType.startsWith('multipart/') && hasOperations(text.toString('latin1')))
    calls.unread = 'what it calls is in a part of a form'
  return calls.facts()
}

function hasOperations(parts: string): boolean {
  return PART.test(parts) || ODD_PART.test(parts)
}

/** Whether a body that begins like this can call anything: a file does not begin like JSON, but in a form, or in parts of one, what calls may stand behind anything. */
function mayCall(text: Buffer, contentType: string): boolean {
  if (ANYWHERE_TYPE.test(contentType)) return true
  const first = text.toString('latin1', 0, MAX_WIDE)
  return WIDE.test(first) || BLANK.test(first) || beginsLikeJson(text)
}

const MAX_WIDE = 1024
const FIRST_BYTES = 256

/** Behind blanks and a byte order mark, of whatever type it says it is. */
function beginsLikeJson(text: Buffer): boolean {
  const first = text.toString('utf8', 0, FIRST_BYTES).trimStart() || text.toString().trimStart()
  return first.startsWith('{') || first.startsWith('[')
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

class Calls {
  unread: string | undefined
  readonly #methods = new Set<string>()
  readonly #tools = new Set<string>()
  readonly #kinds = new Set<string>()
  readonly #names = new Set<string>()
  #operations = 0
  #unnamed = 0

  facts(): Facts {
    // One without a name beside others has to fit what allows by name as well.
    const blank = this.#unnamed > 0 && this.#operations > 1 ? [''] : []
    const graphql = [...this.#kinds, ...this.#names, ...blank]
    return {
      ...this.#list('rpc_method', [...this.#methods]),
      ...this.#list('tool', [...this.#tools]),
      ...this.#list('graphql', graphql),
      ...(this.unread === undefined ? {} : { unread_calls: this.unread }),
    }
  }

  #list(name: string, all: readonly string[]): Facts {
    if (all.length > MAX_NAMES || all.some((each) => each.length > MAX_NAME_LENGTH)) this.unread = 'it calls too much'
    return all.length === 0 ? {} : { [name]: all.slice(0, MAX_NAMES).map((each) => each.slice(0, MAX_NAME_LENGTH)) }
  }

  /** False for what is no JSON, nor JSON line by line. */
  json(text: string): boolean {
    const values = valuesIn(text)
    if (values === undefined) {
      this.unread = 'what it calls is not valid JSON'
      return false
    }
    if (!CALL_WORDS.test(text)) return true
    if (keysIn(values) !== colonsIn(text)) this.unread = 'it says a key more than once'
    for (const call of values.flat()) {
      if (typeof call === 'object' && call !== null) this.#call(call)
    }
    return true
  }

  #call(call: object): void {
    const { jsonrpc, method, params, payload } = this.#fields(call)
    // Some servers ask neither for a version nor for parameters (Chrome's protocol, bitcoind).
    if (jsonrpc !== undefined || typeof method === 'string') this.#rpc(method, params)
    this.#graphql(call)
    // As graphql-ws and its forerunner wrap it.
    if (typeof payload === 'object' && payload !== null) this.#graphql(payload)
  }

  #rpc(method: unknown, params: unknown): void {
    // An answer has none.
    if (method === undefined) return
    if (typeof method !== 'string') {
      this.unread = 'the method it calls is no text'
      return
    }
    this.#methods.add(method)
    if (method !== 'tools/call') return
    const { name } = typeof params === 'object' && params !== null ? this.#fields(params) : {}
    if (typeof name === 'string') this.#tools.add(name)
    else this.unread = 'the tool it calls has no name'
  }

  #graphql(call: object): void {
    const { query, operationname, extensions } = this.#fields(call)
    if (typeof query === 'string') this.#named(query, operationname)
    else if (typeof extensions === 'object' && extensions !== null && 'persistedQuery' in extensions)
      this.unread = 'what it calls is known to its target alone'
  }

  #named(document: string, name: unknown): void {
    this.document(document)
    if (typeof name === 'string') this.#names.add(name)
  }

  document(text: string): void {
    const operations = operationsOf(text)
    if (operations === undefined) {
      // As a search's `query` is none.
      this.#kinds.add('query')
      if (BEGUN.test(text)) this.unread = 'what it calls is no GraphQL that can be read'
      return
    }
    for (const { kind, name } of operations) {
      this.#operations += 1
      this.#kinds.add(kind)
      if (name === undefined) this.#unnamed += 1
      else this.#names.add(name)
    }
  }

  /** Of a query or a form. */
  parameters(text: string): void {
    if (text === '') return
    const fields = new URLSearchParams(text)
    // Each look for a name goes through all of them, and a form of a megabyte has a hundred thousand.
    const name = fields.get('operationName')
    for (const document of fields.getAll('query')) {
      if (DOCUMENT.test(document)) this.#named(document, name)
    }
    if (fields.getAll('extensions').some((each) => each.includes('persistedQuery')))
      this.unread = 'what it calls is known to its target alone'
  }

  /** By their names in lower case, as some servers read them; with two of one name nobody knows which counts. */
  #fields(value: object): Readonly<Record<string, unknown>> {
    const found = new Map<string, unknown>()
    for (const [key, each] of Object.entries(value)) {
      const name = key.toLowerCase()
      if (found.has(name) && READ.has(name)) this.unread = `it says ${name} more than once`
      if (!found.has(name) || key === name) found.set(name, each)
    }
    return Object.fromEntries(found)
  }
}

const READ = new Set(['jsonrpc', 'method', 'params', 'name', 'query', 'operationname', 'extensions', 'payload'])

/** One, or one in each line; undefined for what is no JSON. */
function valuesIn(text: string): readonly unknown[] | undefined {
  const trimmed = text.trimStart()
  try {
    return [JSON.parse(trimmed)]
  } catch {
    try {
      return trimmed.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line)]))
    } catch {
      return undefined
    }
  }
}

/** Of all objects; of two of one name `JSON.parse` keeps the last. */
function keysIn(values: readonly unknown[]): number {
  const waiting: unknown[] = [...values]
  let count = 0
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    const inside = Object.values(value)
    if (!Array.isArray(value)) count += inside.length
    for (const each of inside) waiting.push(each)
  }
  return count
}

/** As many keys valid JSON has been given. */
function colonsIn(text: string): number {
  let count = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) quoted = !quoted
    else if (quoted && code === 0x5c) i += 1
    else if (!quoted && code === 0x3a) count += 1
  }
  return count
}
