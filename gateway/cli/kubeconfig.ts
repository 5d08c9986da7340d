import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import { loadConfig, type Settings } from '../config.ts'
import { listenerIdentity } from '../credentials/listener-tls.ts'
import { placesIn } from '../places.ts'
import { type Cli, EXIT, findConfig } from './context.ts'
import { shownKey } from './prove-caller.ts'

/** What kubectl and its plugins say to each other (Kubernetes docs, "client-go credential plugins"). */
const API = 'client.authentication.k8s.io/'
/** A key file may have changed by then: the plugin is asked again. */
const CREDENTIAL_MS = 5 * 60_000

export interface KubeconfigOptions {
  readonly config?: string
  /** Where clients reach the listener, `https://host:port`. */
  readonly server?: string
  readonly keyFile?: string
  /** Not a key: the token of `sallyport login`. */
  readonly login?: true
  /** `v1`, or `v1beta1` for kubectl before 1.22. */
  readonly execApi: string
  /** How the plugin is called where kubectl runs. */
  readonly command: string
}

/**
 * Prints a kubeconfig for the kubernetes targets of that name, or all: one context each, with the listener's certificate to trust, and this
 * command as the plugin that shows the key. As JSON, which is YAML. Holds no secret.
 */
export async function kubeconfig(names: readonly string[], options: KubeconfigOptions, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli))
  const listener = settings.listeners.find(({ protocol }) => protocol === 'kubernetes')
  if (listener === undefined)
    throw new ApplianceError('CONFIG_INVALID', 'no listener speaks kubernetes: see listeners.kubernetes')
  const targets = targetsOf(names, settings)
  if (!/^v1(beta1)?$/.test(options.execApi))
    throw new ApplianceError('CONFIG_INVALID', `--exec-api ${options.execApi}: kubectl knows v1 and v1beta1`)
  const server = new URL(options.server ?? `https://${shown(listener.host)}:${listener.port}`)
  if (server.protocol !== 'https:')
    throw new ApplianceError('CONFIG_INVALID', `--server ${server.href}: kubectl shows its key over https only`)
  const { cert } = await listenerIdentity(listener.tls, { keysDir: placesIn(settings.dataDir).keys, gateway: settings.gateway })
  const otherName = nameToVerify(new X509Certificate(cert), server.hostname.replace(/^\[|\]$/g, ''))
  const user = `sallyport-${settings.gateway}`
  const file = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: targets.map((name) => ({
      name,
      cluster: {
        server: `${server.origin}/t/${name}`,
        'certificate-authority-data': Buffer.from(cert).toString('base64'),
        ...(otherName === undefined ? {} : { 'tls-server-name': otherName }),
      },
    })),
    contexts: targets.map((name) => ({ name, context: { cluster: name, user } })),
    'current-context': targets[0],
    users: [
      {
        name: user,
        user: {
          exec: {
            apiVersion: `${API}${options.execApi}`,
            command: options.command,
            args: pluginOf(options, cli),
            interactiveMode: 'Never',
            installHint: 'install sallyport, or name it by --command, and put your access key into SALLYPORT_KEY or a file',
          },
        },
      },
    ],
  }
  cli.out(`${JSON.stringify(file, null, 2)}\n`)
  return EXIT.ok
}

function pluginOf({ login, keyFile }: KubeconfigOptions, cli: Cli): string[] {
  if (login === true) return ['token', '--exec-credential']
  return ['kube-credential', ...(keyFile === undefined ? [] : ['--key-file', resolve(cli.cwd, keyFile)])]
}

/** What kubectl asks for: the key it is to show, as an ExecCredential. */
export async function kubeCredential({ keyFile }: { readonly keyFile?: string }, cli: Cli): Promise<number> {
  const token = await shownKey(keyFile, cli)
  if (token === undefined)
    throw new ApplianceError('AUTH_REQUIRED', 'put your access key into SALLYPORT_KEY, or name its file with --key-file')
  // Asked for in the version it understands.
  const asked = /"apiVersion":"client\.authentication\.k8s\.io\/(v1(?:beta1)?)"/.exec(cli.env['KUBERNETES_EXEC_INFO'] ?? '')?.[1]
  const expirationTimestamp = new Date(Date.now() + CREDENTIAL_MS).toISOString()
  cli.out(
    `${JSON.stringify({ apiVersion: `${API}${asked ?? 'v1'}`, kind: 'ExecCredential', status: { token, expirationTimestamp } })}\n`,
  )
  return EXIT.ok
}

function targetsOf(names: readonly string[], { targets }: Settings): string[] {
  const known = [...targets.values()].filter(({ target }) => target.protocol === 'kubernetes').map(({ target }) => target.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new ApplianceError('CONFIG_INVALID', `no kubernetes target ${JSON.stringify(unknown)}; known: ${known.join(', ')}`)
  return names.length === 0 ? known : [...names]
}

/** Where the listener takes connections from anywhere: this machine, as others know it. */
function shown(host: string): string {
  if (host === '::' || host === '0.0.0.0') return hostname()
  return host.includes(':') ? `[${host}]` : host
}

/** Undefined where the certificate is for that host; else a name that it is for. */
function nameToVerify(certificate: X509Certificate, host: string): string | undefined {
  if ((isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined) return undefined
  return /DNS:([^,\s]+)/.exec(certificate.subjectAltName ?? '')?.[1]
}
