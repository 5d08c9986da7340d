#!/usr/bin/env node
// Only dynamic imports here: an older Node must get as far as the message below. (Node before 22.18 cannot read .ts at all.)
const NODE_MAJOR = 24

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < NODE_MAJOR) {
  process.stderr.write(
    `sallyport needs Node ${NODE_MAJOR} or newer; this is ${process.versions.node}.\n` +
      'Inside a clone the right one is installed with the packages: run `npx sallyport ...` or `npm start`.\n',
  )
  process.exitCode = 1
} else {
  process.stdout.on('error', (error) => {
    const code = 'code' in error ? String(error.code) : error.name
    // A reader that has seen enough (`| head`) is no error.
    if (code === 'EPIPE') process.exit(0)
    process.stderr.write(`sallyport: stdout takes no more (${code}): what was printed is not all\n`)
    process.exit(1)
  })
  // What the sources are compiled to is kept beside the packages, for whoever may write there: a command starts in half of the time.
  const { enableCompileCache } = await import('node:module')
  const { fileURLToPath } = await import('node:url')
  enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)))
  const { countBytesWithHeap } = await import('./collections.ts')
  countBytesWithHeap()
  const { run } = await import('./cli/program.ts')
  process.exitCode = await run(process.argv.slice(2))
}
