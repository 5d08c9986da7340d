import { readFile, writeFile } from 'node:fs/promises'
import wabt from 'wabt'

/** One module, in this order. */
const TEXTS = [
  'kernel',
  'kernel-hash',
  'kernel-verify',
  'kernel-judge',
  'kernel-cover',
  'kernel-sift',
  'kernel-filter',
  'kernel-cut',
  'kernel-json',
]
const CODE = new URL('../../gateway/masking/kernel-code.ts', import.meta.url)

/** The text of kernel-code.ts, from kernel*.wat. */
export async function kernelCode(): Promise<string> {
  const { parseWat } = await wabt()
  const texts = await Promise.all(
    TEXTS.map((name) => readFile(new URL(`../../gateway/masking/${name}.wat`, import.meta.url), 'utf8')),
  )
  const module = parseWat('kernel.wat', `(module\n${texts.join('\n')})`, { simd: true })
  const { buffer } = module.toBinary({})
  module.destroy()
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,120}/g) ?? []
  return `/** kernel*.wat, assembled by \`npm run kernel\`. */\nexport const KERNEL_CODE = \`\n${lines.join('\n')}\n\`\n`
}

if (import.meta.main) await writeFile(CODE, await kernelCode())
