// Known advisories about what is shipped: `npm run audit`. Fails on high and critical ones; 2: nothing was checked, as the registry keeps no advisories or did not answer.
import { spawnSync } from 'node:child_process'

const { stdout, stderr } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  shell: process.platform === 'win32',
})
const { metadata, vulnerabilities = {}, message } = read(stdout)
if (metadata === undefined) {
  const why =
    String(message ?? stderr)
      .trim()
      .split('\n')[0] || 'the registry keeps no advisories'
  process.stderr.write(`audit: NOTHING WAS CHECKED: ${why}\n`)
  process.exitCode = 2
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
