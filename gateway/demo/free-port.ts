import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** The port noted in `file` if it is still free, so that what was written about it stays true; else `wanted`, else any. */
export async function steadyPort(file: string, wanted = 0): Promise<number> {
  const noted = existsSync(file) ? Number(readFileSync(file, 'utf8')) : wanted
  const port = await bindable(noted)
    .catch(() => bindable(wanted))
    .catch(() => bindable(0))
  writeFileSync(file, String(port))
  return port
}

/** The port, 0 for any, once it was seen to be free on the loopback. */
function bindable(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(address !== null && typeof address === 'object' ? address.port : port))
    })
  })
}
