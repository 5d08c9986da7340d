import assert from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, open, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { command } from '../../../replay-ui/verifier/command.ts'
import type { NodeProcess } from '../../../replay-ui/verifier/folder-node.ts'

/** Permissions stop no root: nothing that is called `closed` is opened or looked into. */
function guarded<R>(work: (path: string, ...rest: never[]) => Promise<R>): (path: string, ...rest: never[]) => Promise<R> {
  return async (path, ...rest) => {
    if (path.includes('closed'))
      throw Object.assign(new Error(`EACCES: permission denied, '${path}'`), { code: 'EACCES', syscall: 'open' })
    return work(path, ...rest)
  }
}

/** What it says of each path, which it can verify none of. */
async function said(paths: readonly string[]): Promise<readonly { path: string; error: string }[]> {
  const lines: string[] = []
  const files = { stat, lstat, readdir: guarded(readdir), open: guarded(open) }
  const host = {
    argv: ['node', 'sallyport-verify.mjs', '--json', ...paths],
    stdout: { write: (line: string) => void lines.push(line) },
    stderr: process.stderr,
    stdin: process.stdin,
    exitCode: undefined,
    getBuiltinModule: (name: string) => (name === 'node:fs/promises' ? files : process.getBuiltinModule(name)),
  } as unknown as NodeProcess // of Node's, what it uses
  await command(host)
  assert.equal(host.exitCode, 1)
  return lines.map((line) => JSON.parse(line) as { path: string; error: string }) // as it writes them
}

test('what the system refuses of one path is said of it, and the others are looked at', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-verify-'))
  try {
    const [loop, long, archive, bundle] = ['loop', 'x'.repeat(300), 'closed.zip', 'bundle'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
      string,
    ] // four were asked for
    await symlink(loop, loop)
    await writeFile(archive, Buffer.alloc(100))
    await mkdir(join(bundle, 'closed'), { recursive: true })
    await writeFile(join(bundle, 'manifest.json'), '{}')
    const lines = await said([loop, long, archive, bundle, '/nowhere'])
    assert.deepEqual(
      lines.map(({ path, error }) => [path, /^E[A-Z]+/.exec(error)?.[0] ?? error]),
      [
        [loop, 'ELOOP'],
        [long, 'ENAMETOOLONG'],
        [archive, 'EACCES'],
        [bundle, 'EACCES'],
        ['/nowhere', '/nowhere does not exist'],
      ],
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
