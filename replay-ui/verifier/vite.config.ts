import { defineConfig, type Plugin } from 'vite'

const FILE = 'sallyport-verify.mjs'
const PAGE = 'sallyport-verify.html'
const PLACE = '/* the verifier */'

/** The page with the module inside it: browsers load no module from a file beside a page that was opened from a folder. */
function inlined(): Plugin {
  return {
    name: 'sallyport-verify-page',
    async generateBundle(_options, bundle) {
      const chunk = bundle[FILE]
      const page = await this.fs.readFile(`${import.meta.dirname}/page.html`, { encoding: 'utf8' })
      if (chunk?.type !== 'chunk' || !page.includes(PLACE)) throw new Error('the verifier was not built as one file')
      // A closing tag in the code would end the script.
      const code = chunk.code.replaceAll('</script', '<\\/script')
      this.emitFile({ type: 'asset', fileName: PAGE, source: page.replace(PLACE, () => code) })
    },
  }
}

// biome-ignore lint/style/noDefaultExport: Vite asks for one
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  plugins: [inlined()],
  build: {
    outDir: '../dist/verifier',
    emptyOutDir: true,
    target: ['chrome137', 'firefox130', 'safari17', 'node20'],
    lib: { entry: 'main.ts', formats: ['es'], fileName: () => FILE },
    reportCompressedSize: false,
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
})
