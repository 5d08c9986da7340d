// Runs on whatever Node the machine has (>= 20), before `npm start` and `npm test`: installs the locked packages
// (among them the pinned Node) when they are missing or older than the lockfile, and says nothing otherwise.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.package-lock.json`
const lock = `${root}package-lock.json`
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  process.stderr.write('sallyport: installing packages (once; about a minute) ...\n')
  // stdout belongs to the command that follows (`--json` prints one object there), so npm speaks on stderr.
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    process.stderr.write('sallyport: npm ci failed; its messages stand above\n')
    process.exit(status ?? 1)
  }
}
