import type { Facts } from '../../schemas/frame.ts'
import type { Match } from '../../schemas/policy.ts'
import type { Identity, ProtocolName } from '../../schemas/session.ts'
import { SHELL_MATCHES } from './shell/match-shell.ts'

/** What the policy knows of a protocol: which messages its rules judge, which are counted, what each kind tells. */
export interface Vocabulary {
  /** Client messages that ask for something: what a rule without `kind` judges. */
  readonly asking: ReadonlySet<string>
  /** Messages whose units and bytes thresholds can count, also some that ask; the first is counted where a rule names none. */
  readonly counted: readonly [string, ...string[]]
  /** Counted where a rule names none, if it is more than that one. */
  readonly answers?: readonly string[]
  /** Results of several statements come in any order: only the end of its own ends one. */
  readonly concurrent?: boolean
  /** Of those: sent by the client. */
  readonly fromClient: ReadonlySet<string>
  /** Kinds of message a rule may name, and the facts each has. */
  readonly facts: Readonly<Record<string, ReadonlySet<keyof Match>>>
  /** What nobody may ask for unless a rule allows it, whatever the default: which built-in rule refuses it, and why. */
  guard?(kind: string, facts: Facts, who: Identity['kind']): Guard | undefined
}

export interface Guard {
  readonly id: string
  readonly reason: string
  readonly hint: string
}

const SQL_FACTS = new Set<keyof Match>([
  'kind',
  'verb',
  'relations',
  'columns',
  'labels',
  'functions',
  'function_categories',
  'sets',
  'copy',
  'has_where',
  'where_trivial',
  'select_star',
  'limited',
  'ddl',
  'writes',
  'dynamic',
  'multi',
  'catalog_access',
  'role_change',
  'parser_change',
  'explain_analyze',
  'parse_ok',
  'masked_write',
  'writes_from_masked',
  'limit',
  'size',
  'statement_count',
])

const HTTP_FACTS = new Set<keyof Match>([
  'kind',
  'method',
  'path',
  'route',
  'content_type',
  'rpc_method',
  'tool',
  'graphql',
  'size',
])

const KUBERNETES_FACTS: readonly (keyof Match)[] = [
  'kind',
  'verb',
  'resource',
  'api_group',
  'namespace',
  'name',
  'method',
  'path',
  'content_type',
  'masked_write',
  'size',
]

const KIND_ONLY = new Set<keyof Match>(['kind'])

const SSH_FILES = ['file-download', 'file-upload', 'file']
const SSH_FORWARDS = ['forward-output', 'forward-input']
/** Of exec, attach and port-forward. */
const STREAMS = ['stdout', 'stderr', 'terminal-output', 'stdin', 'terminal-input', 'forward-output', 'forward-input'] as const

/** Keep in step with the README of each protocol folder. */
export const VOCABULARIES: Readonly<Record<ProtocolName, Vocabulary>> = {
  postgres: {
    asking: new Set(['query', 'parse', 'execute', 'function-call']),
    counted: ['reply', 'copy-data'],
    fromClient: new Set(['copy-data']),
    facts: {
      query: SQL_FACTS,
      parse: SQL_FACTS,
      execute: SQL_FACTS,
      'function-call': KIND_ONLY,
      'copy-data': new Set<keyof Match>(['kind', 'masked_write']),
      reply: KIND_ONLY,
    },
  },
  http: {
    asking: new Set(['request', 'ws-call']),
    counted: ['response-body', 'response', 'request-body', 'ws-output', 'ws-input', 'ws-call'],
    answers: ['response', 'response-body', 'ws-output'],
    fromClient: new Set(['request-body', 'ws-input', 'ws-call']),
    concurrent: true,
    facts: {
      request: HTTP_FACTS,
      'request-body': KIND_ONLY,
      response: KIND_ONLY,
      'response-body': KIND_ONLY,
      'ws-call': new Set<keyof Match>(['kind', 'rpc_method', 'tool', 'graphql', 'size']),
      'ws-input': new Set<keyof Match>(['kind', 'size']),
      'ws-output': KIND_ONLY,
    },
  },
  egress: {
    asking: new Set(['request', 'ws-call']),
    counted: ['tunnel-output', 'tunnel-input', 'response-body', 'response', 'request-body', 'ws-output', 'ws-input', 'ws-call'],
    answers: ['response', 'response-body', 'tunnel-output', 'ws-output'],
    fromClient: new Set(['request-body', 'tunnel-input', 'ws-input', 'ws-call']),
    concurrent: true,
    facts: {
      request: new Set<keyof Match>([...HTTP_FACTS, 'host', 'listed']),
      'ws-call': new Set<keyof Match>(['kind', 'rpc_method', 'tool', 'graphql', 'size']),
      'ws-input': new Set<keyof Match>(['kind', 'size']),
      'ws-output': KIND_ONLY,
      'request-body': KIND_ONLY,
      response: KIND_ONLY,
      'response-body': KIND_ONLY,
      'tunnel-input': KIND_ONLY,
      'tunnel-output': KIND_ONLY,
    },
    guard: egressGuard,
  },
  kubernetes: {
    asking: new Set(['request', 'exec', 'attach', 'port-forward']),
    counted: ['response-body', 'response', 'request-body', ...STREAMS],
    answers: ['response', 'response-body', 'stdout', 'stderr', 'terminal-output'],
    fromClient: new Set(['request-body', 'stdin', 'terminal-input', 'forward-input']),
    concurrent: true,
    facts: {
      request: new Set(KUBERNETES_FACTS),
      exec: new Set<keyof Match>([...KUBERNETES_FACTS, 'pty', ...SHELL_MATCHES]),
      attach: new Set<keyof Match>([...KUBERNETES_FACTS, 'pty']),
      'port-forward': new Set(KUBERNETES_FACTS),
      'request-body': KIND_ONLY,
      response: KIND_ONLY,
      'response-body': KIND_ONLY,
      ...Object.fromEntries(STREAMS.map((kind) => [kind, KIND_ONLY])),
    },
    guard: kubernetesGuard,
  },
  ssh: {
    asking: new Set(['exec', 'shell', 'subsystem', 'forward', 'file', 'line']),
    counted: ['stdout', 'stderr', 'terminal-output', 'stdin', 'terminal-input', ...SSH_FILES, ...SSH_FORWARDS],
    answers: ['stdout', 'stderr', 'terminal-output', 'file-download', 'forward-output'],
    concurrent: true,
    fromClient: new Set(['stdin', 'terminal-input', 'file-upload', 'forward-input']),
    facts: {
      exec: new Set<keyof Match>(['kind', 'pty', ...SHELL_MATCHES]),
      line: new Set<keyof Match>(['kind', 'unshown', ...SHELL_MATCHES]),
      shell: new Set<keyof Match>(['kind', 'pty']),
      subsystem: new Set<keyof Match>(['kind', 'subsystem']),
      forward: new Set<keyof Match>(['kind', 'forward']),
      'forward-input': KIND_ONLY,
      'forward-output': KIND_ONLY,
      file: new Set<keyof Match>(['kind', 'operation', 'file']),
      'file-download': KIND_ONLY,
      'file-upload': KIND_ONLY,
      stdout: KIND_ONLY,
      stderr: KIND_ONLY,
      stdin: KIND_ONLY,
      'terminal-output': KIND_ONLY,
      'terminal-input': KIND_ONLY,
    },
    guard: sshGuard,
  },
  echo: {
    asking: new Set(['say']),
    counted: ['echo'],
    fromClient: new Set(),
    facts: { say: new Set<keyof Match>(['kind', 'text', 'size']), echo: KIND_ONLY },
  },
}

/** What nobody thought of is where data goes that is to go nowhere. */
function egressGuard(kind: string, { host, listed, intercepted }: Facts): Guard | undefined {
  if (kind !== 'request' || listed === true || intercepted === true) return undefined
  return {
    id: 'policy.unknown-host',
    reason: `${typeof host === 'string' ? host : 'the host'} is not on the list of what may be reached`,
    hint: 'ask for it to be listed, or for a rule that lets people decide',
  }
}

/** A tunnel leads around what is recorded, whatever its name; an agent with a terminal can do what no command line tells. */
function kubernetesGuard(kind: string, facts: Facts, who: Identity['kind']): Guard | undefined {
  const { resource } = facts
  if (kind === 'port-forward' || (typeof resource === 'string' && resource.endsWith('/proxy'))) {
    return {
      id: 'policy.forward',
      reason: kind === 'port-forward' ? 'forwarding is not allowed here' : 'the API server is not to be used as a proxy here',
      hint: 'connect to the service itself: the gateway serves targets by name',
    }
  }
  if (who === 'agent' && (kind === 'exec' || kind === 'attach') && facts['pty'] === true) {
    return {
      id: 'policy.agent-terminal',
      reason: 'agents get no terminal and no interactive shell here',
      hint: 'give each command behind `--`, without -t',
    }
  }
  return undefined
}

/** A forward leads around what is recorded; an agent with a terminal can do what no command line tells. */
function sshGuard(kind: string, facts: Facts, who: Identity['kind']): Guard | undefined {
  if (kind === 'forward') {
    return {
      id: 'policy.forward',
      reason: 'forwarding is not allowed here',
      hint: 'connect to the target itself: the gateway serves each of them by name',
    }
  }
  if (who === 'agent' && (kind === 'shell' || facts['pty'] === true)) {
    return {
      id: 'policy.agent-terminal',
      reason: 'agents get no terminal and no interactive shell here',
      hint: 'give each command as an argument of ssh, without -t',
    }
  }
  return undefined
}
