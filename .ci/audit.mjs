// Known advisories about what is shipped: `npm run audit`. Fails on high and critical ones; a registry that keeps no advisories is said, not passed over.
import { spawnSync } from 'node:child_process'

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8', shell: process.platform === 'win32' })
const { metadata, vulnerabilities = {} } = read(stdout)
if (metadata === undefined) {
  process.stderr.write('audit: this registry answered with no advisories: NOTHING WAS CHECKED\n')
} else {
  const { high, critical } = metadata.vulnerabilities
  for (const { name, severity, range } of Object.values(vulnerabilities))
    process.stderr.write(`audit: ${severity}: ${name} ${range}\n`)
  process.stderr.write(`audit: ${high} high, ${critical} critical in ${metadata.dependencies.prod} packages\n`)
  process.exitCode = high + critical > 0 ? 1 : 0
}

function read(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
