// Runs on whatever Node the machine has (>= 20), before `npm start` and `npm test`: installs the locked packages
// (among them the pinned Node) when they are missing or older than the lockfile, builds the console when it is missing or
// older than its sources (a second or two), and says nothing otherwise.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.package-lock.json`
const lock = `${root}package-lock.json`
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  process.stderr.write('sallyport: installing packages (once; about a minute) ...\n')
  // stdout belongs to the command that follows (`--json` prints one object there), so npm speaks on stderr.
  // Errors only: packages ask for a newer Node than the one npm runs on, forty lines each start of a newcomer's, and get the
  // pinned one. What fails is still shown.
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    process.stderr.write('sallyport: npm ci failed; its messages stand above\n')
    process.exit(status ?? 1)
  }
}

const built = `${root}replay-ui/dist/index.html`
if (!existsSync(built) || newest(['replay-ui', 'schemas']) > statSync(built).mtimeMs) {
  process.stderr.write('sallyport: building the console ...\n')
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    process.stderr.write('sallyport: the console could not be built; the messages stand above\n')
    process.exit(status ?? 1)
  }
}

/** When the last of the sources was changed, ms. */
function newest(folders) {
  let last = statSync(lock).mtimeMs
  for (const folder of folders) {
    for (const entry of readdirSync(root + folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      if (entry.isFile() && !path.includes(`${join(folder, 'dist')}`)) last = Math.max(last, statSync(path).mtimeMs)
    }
  }
  return last
}
