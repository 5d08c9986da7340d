import type { Facts } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Message, Redacted, Side } from '../message.ts'
import type { ColumnLabels } from './columns.ts'
import { egressFacts } from './http/egress-facts.ts'
import { requestFacts } from './http/facts.ts'
import { kubernetesFacts } from './kubernetes/request-info.ts'
import { shellFacts } from './shell/facts.ts'
import { isUnread, readFacts, sqlFacts } from './sql/facts.ts'
import { mayWrite, statementHoldsMask } from './sql/masked-write.ts'
import { labelledPlaces, labelsNamed, writesFromMasked } from './sql/writes-from-masked.ts'
import { VOCABULARIES } from './vocabulary.ts'

/** A message as a protocol would make it, for trying a policy out: nothing is sent, so nothing is redacted. */
export class TrialMessage implements Message {
  readonly from: Side
  readonly kind: string
  readonly channel = 0
  readonly part = 'whole'
  readonly bytes: Uint8Array
  readonly units: number
  readonly #facts: Facts

  constructor(from: Side, kind: string, bytes: Uint8Array, units: number, facts: Facts) {
    this.from = from
    this.kind = kind
    this.bytes = bytes
    this.units = units
    this.#facts = facts
  }

  facts(): Facts {
    return this.#facts
  }

  redacted(): Redacted {
    return { bytes: this.bytes, masks: null }
  }
}

/** Where labelled data lies, as far as the policy alone tells. */
export interface TrialPlaces {
  readonly labels: ColumnLabels
  readonly searchPath: readonly string[]
}

/** What a client would send to run `text` as the first statement of a session. */
export function askingMessage(protocol: ProtocolName, text: string, { labels, searchPath }: TrialPlaces): TrialMessage {
  const bytes = Buffer.from(text)
  switch (protocol) {
    case 'postgres': {
      // Nobody else waits here: a large one is read at once.
      const facts = isUnread(text) ? readFacts(text, bytes.length).facts : sqlFacts(text)
      const touched = labelsNamed(facts, labels, searchPath)
      return new TrialMessage('client', 'query', bytes, 0, {
        ...facts,
        ...(touched.length > 0 ? { labels: touched } : {}),
        ...(mayWrite(facts) && statementHoldsMask(text) ? { masked_write: true } : {}),
        ...(writesFromMasked(facts, labelledPlaces(labels, searchPath)) ? { writes_from_masked: true } : {}),
        statement: 1,
      })
    }
    case 'http':
      return new TrialMessage('client', 'request', bytes, 0, httpFacts(text))
    case 'egress':
      // Which hosts are listed stands with the target, which is not at hand.
      return new TrialMessage('client', 'request', bytes, 0, egressFacts(askedOf(text), []))
    case 'kubernetes':
      return kubernetesMessage(text)
    case 'ssh':
      return new TrialMessage('client', 'exec', bytes, 0, { ...shellFacts(text), command: text })
    case 'echo':
      return new TrialMessage('client', 'say', bytes, 0, { text, size: bytes.length })
    default:
      return protocol satisfies never
  }
}

/** `METHOD /path?query` and a body like a request of HTTP, or `exec NAMESPACE/POD -- COMMAND`. */
function kubernetesMessage(text: string): TrialMessage {
  const bytes = Buffer.from(text)
  const exec = /^exec\s+([a-z0-9.-]+)\/([a-z0-9.-]+)\s+--\s+(.+)$/s.exec(text.trim())
  if (exec !== null) {
    const [, namespace = '', name = '', command = ''] = exec
    const target = `/api/v1/namespaces/${namespace}/pods/${name}/exec`
    const about = kubernetesFacts({ method: 'POST', target, contentType: '', body: undefined })
    return new TrialMessage('client', 'exec', bytes, 0, { ...about, ...shellFacts(command), command })
  }
  return new TrialMessage('client', 'request', bytes, 0, kubernetesFacts(askedOf(text)))
}

/** `METHOD /path?query`, and behind an empty line a body, JSON where it begins like it. */
function httpFacts(text: string): Facts {
  return requestFacts(askedOf(text))
}

function askedOf(text: string): Parameters<typeof requestFacts>[0] {
  const [line = '', body] = text.split(/\n\n(.*)/s, 2)
  const [method = '', target = '/'] = line.trim().split(/\s+/, 2)
  return {
    method: method.toUpperCase(),
    target,
    contentType: /^\s*[[{]/.test(body ?? '') ? 'application/json' : '',
    body: Buffer.from(body ?? ''),
  }
}

/** Its whole result in one message; `bytes` of rows, of the same size each. */
export function replyMessage(protocol: ProtocolName, rows: number, bytes: number): Message {
  return new TrialReply(VOCABULARIES[protocol].counted[0], rows, Math.max(0, Math.ceil(bytes / Math.max(1, rows))))
}

class TrialReply extends TrialMessage {
  readonly #rowSize: number

  constructor(kind: string, rows: number, rowSize: number) {
    // Only its length is looked at; a view of one shared byte would do, were there such a thing.
    super('server', kind, new Uint8Array(rows * rowSize), rows, { statement: 1 })
    this.#rowSize = rowSize
  }

  split(units: number): readonly [head: Message | undefined, tail: Message | undefined] {
    const rest = this.units - units
    return [
      units === 0 ? undefined : new TrialReply(this.kind, units, this.#rowSize),
      rest === 0 ? undefined : new TrialReply(this.kind, rest, this.#rowSize),
    ]
  }
}
