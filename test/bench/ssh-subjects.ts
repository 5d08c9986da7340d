import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyIn, type Sshd } from '../support/sshd.ts'
import { ended, freePort, listening } from './support-process.ts'

/** One way to the same sshd; the client is told to go to `there`. */
export interface SshSubject extends AsyncDisposable {
  readonly name: string
  /** An ssh_config. */
  readonly config: string
  /** Of what stands between, where it is one process. */
  readonly pid: number | undefined
}

const COMMON = ` HostName 127.0.0.1
 IdentitiesOnly yes
 IdentityAgent none
 StrictHostKeyChecking no
 UserKnownHostsFile /dev/null
 GlobalKnownHostsFile /dev/null
 LogLevel ERROR
 BatchMode yes
`

async function clientKey(folder: string, sshd: Sshd): Promise<string> {
  const path = join(folder, 'direct')
  await writeFile(path, sshd.userKey, { mode: 0o600 })
  return path
}

export async function direct(sshd: Sshd): Promise<SshSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'ssh-direct-'))
  const key = await clientKey(folder, sshd)
  const config = join(folder, 'config')
  await writeFile(config, `Host there\n${COMMON} Port ${sshd.port}\n User ${sshd.user}\n IdentityFile ${key}\n`)
  return { name: 'direct', config, pid: undefined, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

/** What people put in front of machines: another sshd, which sees nothing of what goes through. */
export async function jump(sshd: Sshd, bastion: Sshd): Promise<SshSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'ssh-jump-'))
  const key = await clientKey(folder, sshd)
  const bastionKey = join(folder, 'bastion')
  await writeFile(bastionKey, bastion.userKey, { mode: 0o600 })
  const config = join(folder, 'config')
  const host = (name: string, { port, user }: Sshd, file: string): string =>
    `Host ${name}\n${COMMON} Port ${port}\n User ${user}\n IdentityFile ${file}\n`
  await writeFile(config, `${host('gate', bastion, bastionKey)}${host('there', sshd, key)} ProxyJump gate\n`)
  return { name: 'jump', config, pid: undefined, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

/** The gateway as a person would run it: recording, rules and all detectors on. */
export async function sshSallyport(sshd: Sshd): Promise<SshSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const port = await freePort()
  const key = await keyIn(folder, 'id')
  await mkdir(join(folder, 'data'))
  await writeFile(join(folder, 'target'), sshd.userKey, { mode: 0o600 })
  await writeFile(
    join(folder, 'policy.yaml'),
    'version: 1\npacks: [secret-files, persistence]\ndefaults: { approval: { groups: [people] } }\nrules: [{ id: much, on: ssh, threshold: { bytes: 100GiB, per: session }, action: block }]\n',
  )
  await writeFile(
    join(folder, 'sallyport.yaml'),
    JSON.stringify({
      gateway: 'bench',
      dataDir: 'data',
      policy: 'policy.yaml',
      listeners: { ssh: { address: `127.0.0.1:${port}` } },
      targets: [
        {
          name: 'files',
          protocol: 'ssh',
          host: '127.0.0.1',
          port: sshd.port,
          groups: ['people'],
          hostKeys: [sshd.hostKey],
          credential: { user: sshd.user, privateKey: { file: 'target' } },
        },
      ],
      identities: [{ subject: 'bench', kind: 'human', groups: ['people'], sshKeys: [key.line] }],
    }),
  )
  const main = new URL('../../gateway/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'serve', '--config', join(folder, 'sallyport.yaml')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SALLYPORT_LOG: 'error' },
  })
  await listening(port, child, folder)
  const config = join(folder, 'config')
  await writeFile(config, `Host there\n${COMMON} Port ${port}\n User files\n IdentityFile ${key.path}\n`)
  return { name: 'sallyport', config, pid: child.pid, [Symbol.asyncDispose]: () => ended(child, folder) }
}

/** Runs a client to its end. Rejects where it fails. */
export async function client(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (said.length < 10_000) said += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`)
  return said
}

/** Bytes that tell nothing and compress to nothing. */
export async function randomFile(path: string, mib: number): Promise<void> {
  await client('sh', ['-c', `head -c ${mib}M /dev/urandom > '${path}'`])
  if ((await readFile(path)).length !== mib * 1024 * 1024) throw new Error(`${path} is not whole`)
}
