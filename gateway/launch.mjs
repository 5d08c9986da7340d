#!/usr/bin/env node
// The command as it is installed. Plain JavaScript for any Node from 20 on, so that one too old to read the sources hands over
// to the Node that is installed with the packages.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR = 24
const main = fileURLToPath(new URL('main.ts', import.meta.url))
const pinned = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))

const [major = 0] = process.versions.node.split('.').map(Number)
if (major >= NODE_MAJOR) {
  await import('./main.ts')
} else if (existsSync(pinned)) {
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    // A terminal sends its interrupt to both of us, and a second one means "at once".
    process.on(signal, () => void (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)))
  }
  child.on('error', (error) => {
    process.stderr.write(`sallyport: ${pinned} cannot be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1
    else process.exitCode = 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9)
  })
} else {
  process.stderr.write(
    `sallyport needs Node ${NODE_MAJOR} or newer; this is ${process.versions.node}, and the packages, which bring the right one, are not installed.\n` +
      'In a clone run `npm start`, or `npm ci` and then this again.\n',
  )
  process.exitCode = 1
}
