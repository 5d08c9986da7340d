import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** One offender per border and house rule: its path, its text, and the lint rule that has to name it. */
const OFFENDERS = [
  [
    'schemas/reads-a-file.ts',
    "import { readFileSync } from 'node:fs'\nexport const text = readFileSync('x')\n",
    'noRestrictedImports',
  ],
  ['schemas/knows-recorder.ts', "import { open } from '../recorder/fine.ts'\nexport const x = open\n", 'noRestrictedImports'],
  ['recorder/knows-gateway.ts', "import { gate } from '../gateway/fine.ts'\nexport const x = gate\n", 'noRestrictedImports'],
  [
    'recorder/tape/knows-page.ts',
    "import { page } from '../../replay-ui/fine.ts'\nexport const x = page\n",
    'noRestrictedImports',
  ],
  ['gateway/knows-page.ts', "import { page } from '../replay-ui/fine.ts'\nexport const x = page\n", 'noRestrictedImports'],
  ['gateway/uses-test.ts', "import { fake } from '../test/fine.ts'\nexport const x = fake\n", 'noRestrictedImports'],
  ['replay-ui/knows-recorder.ts', "import { open } from '../recorder/fine.ts'\nexport const x = open\n", 'noRestrictedImports'],
  ['replay-ui/uses-node.ts', "import { join } from 'node:path'\nexport const x = join('a')\n", 'noRestrictedImports'],
  ['gateway/cycle-a.ts', "import { b } from './cycle-b.ts'\nexport const a = (): unknown => b\n", 'noImportCycles'],
  ['gateway/cycle-b.ts', "import { a } from './cycle-a.ts'\nexport const b = (): unknown => a\n", 'noImportCycles'],
  ['gateway/default.ts', 'export default 1\n', 'noDefaultExport'],
  ['gateway/any.ts', 'export const x = (y: any): unknown => y\n', 'noExplicitAny'],
  ['gateway/bang.ts', 'export const x = (y: string | null): number => y!.length\n', 'noNonNullAssertion'],
  ['gateway/bare-node.ts', "import { join } from 'path'\nexport const x = join('a')\n", 'useNodejsImportProtocol'],
  ['gateway/value-import.ts', "import { T } from './types.ts'\nexport const x = (y: T): T => y\n", 'useImportType'],
  [
    'gateway/floating.ts',
    'const f = async (): Promise<void> => {}\nexport function g(): void {\n  f()\n}\n',
    'noFloatingPromises',
  ],
  ['gateway/stranger.ts', "import { x } from 'left-pad'\nexport const y = x\n", 'noUndeclaredDependencies'],
  ['gateway/dev-only.ts', "import { x } from 'fast-check'\nexport const y = x\n", 'noUndeclaredDependencies'],
  ['gateway/ThisName.ts', 'export const x = 1\n', 'useFilenamingConvention'],
] as const

const FINE = {
  'schemas/fine.ts': 'export const word = 1\n',
  'recorder/fine.ts': "import { word } from '../schemas/fine.ts'\nexport const open = word\n",
  'gateway/fine.ts': "import { open } from '../recorder/fine.ts'\nexport const gate = open\n",
  'gateway/types.ts': 'export interface T {\n  readonly t: number\n}\n',
  'replay-ui/fine.ts': "import { word } from '../schemas/fine.ts'\nexport const page = word\n",
  'test/fine.ts': "import fc from 'fast-check'\nimport { gate } from '../gateway/fine.ts'\nexport const fake = [gate, fc]\n",
}

test('lint names every offender against a room border or house rule, and lets the allowed directions pass', () => {
  const house = mkdtempSync(join(tmpdir(), 'sallyport-borders-'))
  try {
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(house, path)), { recursive: true })
      writeFileSync(join(house, path), text)
    }
    for (const file of ['biome.json', 'package.json']) copyFileSync(join(ROOT, file), join(house, file))
    for (const [path, text] of [...OFFENDERS, ...Object.entries(FINE)]) write(path, text)
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.']
    const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/biome'), args, { cwd: house, encoding: 'utf8' })
    const report: { diagnostics: { category: string; location: { path: string | { file: string } } }[] } = JSON.parse(stdout)
    const named = report.diagnostics.map(({ category, location }) => {
      const path = typeof location.path === 'string' ? location.path : location.path.file
      return `${path.replace(/^\.\//, '')} ${category.split('/').at(-1)}`
    })
    const silent = OFFENDERS.map(([path, , rule]) => `${path} ${rule}`).filter((line) => !named.includes(line))
    assert.deepEqual(silent, [], stderr)
    const blamed = named.filter((line) => Object.keys(FINE).some((path) => line.startsWith(`${path} `)))
    assert.deepEqual(blamed, [])
  } finally {
    rmSync(house, { recursive: true, force: true })
  }
})
