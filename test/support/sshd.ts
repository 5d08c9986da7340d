import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SSHD = '/usr/sbin/sshd'
const READY_TRIES = 100

/** A real OpenSSH server on loopback, with keys, settings and a home of its own; nothing of the system's is touched. */
export interface Sshd extends AsyncDisposable {
  readonly port: number
  /** Who one logs in as: whoever runs the tests. */
  readonly user: string
  /** A folder for what commands read and write. */
  readonly files: string
  /** The line of its public host key. */
  readonly hostKey: string
  /** A private key it lets in, in OpenSSH format. */
  readonly userKey: string
  /** Everything it has said so far. */
  log(): string
  /** Kills it, sessions and all. */
  kill(): Promise<void>
}

/** `settings`: further lines of its sshd_config. */
export async function startSshd(settings: readonly string[] = []): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-sshd-'))
  const files = join(folder, 'files')
  await mkdir(files)
  const hostKey = await keyIn(folder, 'host')
  const userKey = await keyIn(folder, 'user')
  await writeFile(join(folder, 'authorized_keys'), userKey.line, { mode: 0o600 })
  // sshd wants to be started by its whole path, and by root a folder for what has no privileges.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await freePort()
  const config = join(folder, 'sshd_config')
  await writeFile(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey.path}`,
      `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      `PidFile ${join(folder, 'pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'MaxSessions 200',
      'MaxStartups 200',
      'AcceptEnv LANG LC_* SECRET_*',
      ...settings,
      // Of two the first counts.
      ...(settings.some((line) => line.startsWith('Subsystem')) ? [] : ['Subsystem sftp internal-sftp']),
      '',
    ].join('\n'),
  )
  const child = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    // Sessions leave its process group: they are found by their parents while these still live.
    for (const pid of [child.pid, ...(await descendants(child.pid))]) signal(pid)
    await exited
  }
  const dieWithTest = (): void => void child.kill('SIGKILL')
  process.once('exit', dieWithTest)
  await ready(port, () => said)
  return {
    port,
    user: userInfo().username,
    files,
    hostKey: hostKey.line,
    userKey: await readFile(userKey.path, 'utf8'),
    log: () => said,
    kill: stop,
    async [Symbol.asyncDispose]() {
      await stop()
      process.off('exit', dieWithTest)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A new key pair: the path of its private half, and the line of its public one. */
export async function keyIn(
  folder: string,
  name: string,
  type = 'ed25519',
): Promise<{ readonly path: string; readonly line: string }> {
  const path = join(folder, name)
  await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', name, '-f', path])
  await chmod(path, 0o600)
  return { path, line: (await readFile(`${path}.pub`, 'utf8')).trim() }
}

/** Children, and theirs; empty where there is no /proc. */
async function descendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const direct = children.split(' ').filter(Boolean).map(Number)
  return [...direct, ...(await Promise.all(direct.map(descendants))).flat()]
}

/** One that is gone already needs none. */
function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await once(probe.listen(0, '127.0.0.1'), 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function ready(port: number, said: () => string): Promise<void> {
  for (let tries = 0; tries < READY_TRIES; tries++) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      await wait(50)
    } finally {
      socket.destroy()
    }
  }
  throw new Error(`sshd did not start: ${said()}`)
}
