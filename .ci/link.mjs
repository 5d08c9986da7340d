// npm links the commands of dependencies but not a package's own: this makes `npx sallyport` work inside a clone.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = `${root}node_modules/.bin`
mkdirSync(bin, { recursive: true })
rmSync(`${bin}/sallyport`, { force: true })
symlinkSync('../../gateway/launch.mjs', `${bin}/sallyport`)
chmodSync(`${root}gateway/launch.mjs`, 0o755)

// The npm package of Node brings its C headers along, 67 MB that nobody compiles against.
const nodes = `${root}node_modules/node/node_modules`
for (const name of existsSync(nodes) ? readdirSync(nodes) : [])
  if (name.startsWith('node-')) rmSync(`${nodes}/${name}/include`, { recursive: true, force: true })

// Nor does anybody step through packages (source maps, 60 MB), or compile the grammars that come compiled (20 MB).
const packages = `${root}node_modules`
for (const entry of readdirSync(packages, { recursive: true, withFileTypes: true }))
  if (entry.isFile() && entry.name.endsWith('.map')) rmSync(join(entry.parentPath ?? entry.path, entry.name))
for (const grammar of ['tree-sitter-bash', 'tree-sitter-bicep'])
  for (const folder of ['src', 'prebuilds']) rmSync(`${packages}/${grammar}/${folder}`, { recursive: true, force: true })

// Azure's libraries bring one copy each for browsers and phones.
for (const vendor of ['@azure', '@typespec'])
  for (const library of existsSync(`${packages}/${vendor}`) ? readdirSync(`${packages}/${vendor}`) : [])
    for (const platform of ['browser', 'react-native'])
      rmSync(`${packages}/${vendor}/${library}/dist/${platform}`, { recursive: true, force: true })
