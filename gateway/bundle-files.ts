import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApplianceError } from '../schemas/errors.ts'

const PYTHON = fileURLToPath(new URL('../recorder/bundle/verify-python', import.meta.url))
const BUILT = fileURLToPath(new URL('../replay-ui/dist', import.meta.url))

/** What goes into every bundle beside the evidence: the verifiers and the player. */
export async function bundleFiles(built = BUILT): Promise<ReadonlyMap<string, () => Promise<Uint8Array>>> {
  const files = new Map<string, () => Promise<Uint8Array>>()
  for (const name of await readdir(PYTHON))
    if (name.endsWith('.py')) files.set(`verify/verify-python/${name}`, () => readFile(join(PYTHON, name)))
  files.set('verify/sallyport-verify.mjs', () => readBuilt(join(built, 'verifier/sallyport-verify.mjs')))
  files.set('verify/sallyport-verify.html', () => readBuilt(join(built, 'verifier/sallyport-verify.html')))
  files.set('player/player.html', () => readBuilt(join(built, 'player/player.html')))
  return files
}

async function readBuilt(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new ApplianceError('CONFIG_INVALID', `${path} is not there; npm run build makes it`, { cause })
  }
}
