import type { Cli } from '../../gateway/cli/context.ts'
import { run } from '../../gateway/cli/program.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process, with an environment and a folder of its own. */
export async function runCli(
  args: readonly string[],
  world: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const cli: Cli = {
    env: world.env ?? {},
    cwd: world.cwd ?? '/nonexistent',
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  }
  const code = await run(args, cli)
  return { code, out, err }
}
