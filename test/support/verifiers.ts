import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type GatewayKey, verifyPath } from '../../recorder/index.ts'
import type { Verification } from '../../schemas/verification.ts'
import { clientHere } from './clients.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PYTHON_VERIFIER = join(ROOT, 'recorder/bundle/verify-python')
const BUILD = ['vite', 'build', '--config', 'replay-ui/verifier/vite.config.ts', '--logLevel', 'warn', '--outDir']

/** Objects in folders of their own, which the three verifiers are let loose on. */
export class Gallery {
  readonly path = mkdtempSync(join(tmpdir(), 'sallyport-verifiers-'))
  readonly keys: string
  readonly #gatewayKeys: readonly GatewayKey[]
  #count = 0
  #singleFile: string | undefined

  constructor(gatewayKeys: readonly GatewayKey[]) {
    this.#gatewayKeys = gatewayKeys
    this.keys = join(this.path, 'gateway.pub')
    const lines = gatewayKeys.map(({ gateway, publicKey }) => `${gateway} ${Buffer.from(publicKey).toString('base64')}\n`)
    writeFileSync(this.keys, lines.join(''))
  }

  /** The folder the objects stand in. */
  add(objects: ReadonlyMap<string, Uint8Array>): string {
    this.#count += 1
    const folder = join(this.path, String(this.#count))
    for (const [key, bytes] of objects) {
      mkdirSync(dirname(join(folder, key)), { recursive: true })
      writeFileSync(join(folder, key), bytes)
    }
    return folder
  }

  /** What each verifier that is here says of the paths: `sallyport verify`, the single file, Python. */
  async all(t: TestContext, paths: readonly string[], at?: string): Promise<Verification[][]> {
    const python = clientHere(t, 'python3')
    const all = [await this.typescript(paths, at), this.singleFile(paths, at)]
    if (python !== undefined) all.push(this.python(paths, python, {}, at))
    return all
  }

  async typescript(folders: readonly string[], at?: string): Promise<Verification[]> {
    const results: Verification[] = []
    const when = at === undefined ? {} : { nowMs: Date.parse(at) }
    for (const folder of folders) results.push(await verifyPath(folder, { gatewayKeys: this.#gatewayKeys, ...when }))
    return results
  }

  /** The verifier of browsers and of any Node, built as it is shipped. */
  singleFile(folders: readonly string[], at?: string): Verification[] {
    return this.#run(process.execPath, [this.singleFilePath()], folders, {}, at)
  }

  python(
    folders: readonly string[],
    python = 'python3',
    env: Readonly<Record<string, string>> = {},
    at?: string,
  ): Verification[] {
    return this.#run(python, ['-B', PYTHON_VERIFIER], folders, env, at)
  }

  /** The same as a page, which opens from a folder. */
  pagePath(): string {
    return join(dirname(this.singleFilePath()), 'sallyport-verify.html')
  }

  singleFilePath(): string {
    if (this.#singleFile === undefined) {
      const out = join(this.path, 'built')
      const built = spawnSync('npx', ['--no-install', ...BUILD, out], { cwd: ROOT, encoding: 'utf8' })
      if (built.status !== 0) throw new Error(`the single-file verifier was not built: ${built.stderr}`)
      this.#singleFile = join(out, 'sallyport-verify.mjs')
    }
    return this.#singleFile
  }

  #run(
    program: string,
    args: readonly string[],
    folders: readonly string[],
    env: Readonly<Record<string, string>> = {},
    at?: string,
  ): Verification[] {
    const ran = spawnSync(program, [...args, '--json', '--trust', this.keys, ...(at === undefined ? [] : ['--at', at]), '-'], {
      input: folders.join('\n'),
      encoding: 'utf8',
      env: { ...process.env, ...env },
      maxBuffer: 1 << 28,
    })
    const lines = ran.stdout.split('\n').filter((line) => line !== '')
    if (lines.length !== folders.length) throw new Error(`${args.join(' ')}: ${ran.stderr}`)
    return lines.map((line) => JSON.parse(line) as Verification) // compared field by field by whoever asks
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
