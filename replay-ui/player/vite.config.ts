import { defineConfig, type Plugin } from 'vite'

const PAGE = 'player.html'

/** One page with everything inside it: browsers load no module and no worker from a file beside a page that was opened from a folder. */
function inlined(): Plugin {
  return {
    name: 'sallyport-player-page',
    // Behind what gathers the styles.
    enforce: 'post',
    async generateBundle(_options, bundle) {
      const files = Object.values(bundle)
      const [script, ...scripts] = files.filter((file) => file.type === 'chunk')
      const styles = files.flatMap((file) =>
        file.type === 'asset' && file.fileName.endsWith('.css') ? [String(file.source)] : [],
      )
      if (script === undefined || scripts.length > 0 || styles.length !== 1)
        throw new Error(`the player was not built as one file: ${Object.keys(bundle).join(', ')}`)
      const page = await this.fs.readFile(`${import.meta.dirname}/${PAGE}`, { encoding: 'utf8' })
      // A closing tag in the code would end the script.
      const code = script.code.replaceAll('</script', '<\\/script')
      for (const name of Object.keys(bundle)) delete bundle[name]
      const source = page.replace('/* the styles */', () => styles.join('')).replace('/* the player */', () => code)
      this.emitFile({ type: 'asset', fileName: PAGE, source })
    },
  }
}

// biome-ignore lint/style/noDefaultExport: Vite asks for one
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  plugins: [inlined()],
  // Modules are not loaded by workers of a page without an origin.
  worker: { format: 'iife' },
  build: {
    outDir: '../dist/player',
    emptyOutDir: true,
    target: ['chrome137', 'firefox130', 'safari17'],
    // Fonts as well: there is nowhere to fetch them from.
    assetsInlineLimit: 1 << 20,
    cssCodeSplit: false,
    modulePreload: false,
    rolldownOptions: { input: 'main.ts', output: { codeSplitting: false }, checks: { bundlerTimings: false } },
    reportCompressedSize: false,
  },
})
