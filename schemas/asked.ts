import { type Entry, isReleased } from './frame.ts'
import type { ProtocolName } from './session.ts'
import { PART_FACT } from './tape.ts'

/** Of an entry, what says whether it asks. */
type Asking = Pick<Entry, 'dir' | 'kind' | 'facts' | 'verdict'> & { readonly body: Uint8Array | null }

const OF_SSH: ReadonlySet<string> = new Set(['exec', 'shell', 'subsystem', 'line', 'forward', 'file'])
const OF_KUBERNETES: ReadonlySet<string> = new Set(['request', 'exec', 'attach', 'port-forward'])
const OF_POSTGRES: ReadonlySet<string> = new Set(['query', 'function-call', 'execute'])

/**
 * Whether a message from the client is one statement: what was asked, in the words of its protocol. The one definition that seals, catalog and bundles
 * count by; a message that goes on in further frames asks in its first, and what the gateway says by itself asks nothing.
 */
export function asks(protocol: ProtocolName, entry: Asking): boolean {
  const { dir, kind, facts, body } = entry
  const part = facts[PART_FACT]
  if (dir !== 'in' || facts['origin'] === 'gateway' || (part !== undefined && part !== 'first')) return false
  switch (protocol) {
    case 'postgres':
      // Preparing counts where it was all that came of it.
      return body !== null && (OF_POSTGRES.has(kind) || (kind === 'parse' && !isReleased(entry)))
    case 'ssh':
      return OF_SSH.has(kind)
    case 'http':
    case 'egress':
      return kind === 'request' || (kind === 'ws-call' && body !== null)
    case 'kubernetes':
      // What has no resource is discovery.
      return OF_KUBERNETES.has(kind) && facts['resource'] !== undefined
    case 'echo':
      return body !== null
    default:
      return protocol satisfies never
  }
}
