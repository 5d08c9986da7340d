import { defineConfig } from 'vite'

// biome-ignore lint/style/noDefaultExport: Vite asks for one
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // What Ed25519 in WebCrypto asks for anyway.
    target: ['chrome137', 'firefox130', 'safari17'],
    // A font or an icon as a data: address would need a looser Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // On a busy machine every build is slow, and whoever starts the product for the first time would read it as a fault.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  worker: { format: 'es' },
})
