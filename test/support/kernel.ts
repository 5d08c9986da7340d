import { readFile, writeFile } from 'node:fs/promises'
import wabt from 'wabt'

const TEXT = new URL('../../gateway/masking/kernel.wat', import.meta.url)
const CODE = new URL('../../gateway/masking/kernel-code.ts', import.meta.url)

/** The text of kernel-code.ts, from kernel.wat. */
export async function kernelCode(): Promise<string> {
  const { parseWat } = await wabt()
  const module = parseWat('kernel.wat', await readFile(TEXT, 'utf8'), { simd: true })
  const { buffer } = module.toBinary({})
  module.destroy()
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,120}/g) ?? []
  return `/** kernel.wat, assembled by \`npm run kernel\`. */\nexport const KERNEL_CODE = \`\n${lines.join('\n')}\n\`\n`
}

if (import.meta.main) await writeFile(CODE, await kernelCode())
