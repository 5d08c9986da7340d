import type { Frame } from '../frame.ts'
import { HttpView } from './http.ts'
import { SshView } from './ssh.ts'
import type { Shown, View } from './view.ts'

const ASKS = new Set(['request', 'exec', 'attach', 'port-forward'])
const STREAMS = new Set(['stdin', 'stdout', 'stderr', 'terminal-input', 'terminal-output', 'terminal-resize', 'eof', 'exit'])

/** Requests in the words of RBAC, with head and body below; the streams of exec as those of SSH. */
export class KubernetesView implements View {
  readonly #http = new HttpView()
  readonly #streams = new SshView()

  read(frame: Frame): readonly Shown[] {
    const { kind, dir } = frame
    if (STREAMS.has(kind)) return this.#streams.read(frame)
    const shown = this.#http.read(frame)
    const asked = dir === 'in' && ASKS.has(kind) ? requestLine(frame) : undefined
    const [line, ...rest] = shown
    if (asked === undefined || line?.show !== 'statement') return shown
    return [{ show: 'statement', label: kind, text: asked }, { show: 'word', label: 'path', text: line.text }, ...rest]
  }
}

/** `get secrets/db -n shop`, `exec pods/web -n shop: cat /etc/passwd`; undefined for paths that are no resource. */
export function requestLine({ kind, facts }: Pick<Frame, 'kind' | 'facts'>): string | undefined {
  const { verb, resource, api_group: group, namespace, name, command } = facts
  if (typeof verb !== 'string' || typeof resource !== 'string') return undefined
  const [plural = '', subresource] = resource.split('/', 2)
  const type = typeof group === 'string' && group !== '' ? `${plural}.${group}` : plural
  const named = typeof name === 'string' && name !== '*' ? `${type}/${name}` : type
  const own = kind !== 'request'
  const words = [own ? kind : verb, subresource === undefined || own ? named : `${named}/${subresource}`]
  if (namespace === '*') words.push('-A')
  else if (typeof namespace === 'string') words.push('-n', namespace)
  return typeof command === 'string' ? `${words.join(' ')}: ${command}` : words.join(' ')
}
